// SPDX-License-Identifier: LGPL-2.1-or-later
// A bank that learns patches, against the plain greedy choice in fp64, and from frame to verdict.

#include <algorithm>
#include <cmath>

#include "bank_extension.hpp"
#include "station.hpp"

using namespace station;

namespace {

MemoryBank bank_of(const at::Tensor& rows, Distance distance = Distance::L2, int neighbours = 3) {
  MemoryBank bank;
  bank.rows = rows;
  bank.settings.distance = distance;
  bank.settings.neighbours = neighbours;
  bank.neighbours =
      NearestNeighbour(rows).own_neighbours(std::min<int64_t>(neighbours, rows.size(0)));
  return bank;
}

/// Rows of one value each.
at::Tensor line(const std::vector<float>& values) {
  return at::tensor(values, at::kFloat).unsqueeze(1);
}

void assert_line(const at::Tensor& rows, const std::vector<float>& expected) {
  ck_assert_int_eq(rows.size(0), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ck_assert_double_eq(rows[i][0].item<double>(), expected[i]);
}

/// The distance of each patch to the nearest of the rows, by fp64, in the bank's unit.
std::vector<double> naive_values(const at::Tensor& rows, const at::Tensor& patches, bool squared) {
  std::vector<double> values;
  const at::Tensor r = rows.to(at::kDouble);
  for (const at::Tensor& patch : patches.to(at::kDouble).unbind(0)) {
    const double square = (r - patch).square().sum(1).min().item<double>();
    values.push_back(squared ? square : std::sqrt(square));
  }
  return values;
}

/// The rows after the plain algorithm: all distances anew in each step.
at::Tensor naive_rows(at::Tensor rows, const at::Tensor& patches, double covered, bool squared) {
  for (;;) {
    const auto values = naive_values(rows, patches, squared);
    const auto worst = std::max_element(values.begin(), values.end());
    if (covered > 0 ? *worst < covered : *worst == 0) return rows;
    rows = at::cat({rows, patches.slice(0, worst - values.begin(), worst - values.begin() + 1)});
  }
}

/// Learns patches that are all that a picture shows at or above a value.
MemoryBank learnt(const Detector& detector, const Picture& picture, double above) {
  Request request{picture.data(), &detector, nullptr, {}, above};
  infer(*builtin(), kInput, {&request, 1});
  return extended(detector.bank(), request.result.patches, request.result.cells, above);
}

}  // namespace

START_TEST(the_old_rows_come_first_then_the_farthest_patches_until_all_are_covered) {
  const at::Tensor rows = float_noise("rows", {40, 6});
  const at::Tensor patches = float_noise("patches", {120, 6}) * 1.5;
  for (const bool squared : {false, true})
    for (const double covered : {0.3, 0.8, 1.2, 2.0, 5.0, 100.0, 0.0}) {
      const Distance unit = squared ? Distance::SquaredL2 : Distance::L2;
      const at::Tensor ours = extended(bank_of(rows, unit), patches, {}, covered).rows;
      ck_assert(ours.equal(naive_rows(rows, patches, covered, squared)));
      if (covered == 0) ck_assert_int_eq(ours.size(0), 160);
      for (const double value : naive_values(ours, patches, squared))
        ck_assert(covered > 0 ? value < covered : value == 0);
    }
}
END_TEST

START_TEST(a_patch_at_the_distance_that_is_covered_is_taken_and_the_next_nearer_one_is_not) {
  const float below = std::nextafter(2.0f, 0.0f);
  assert_line(extended(bank_of(line({0})), line({below, 1}), {}, 2).rows, {0});
  assert_line(extended(bank_of(line({0})), line({2}), {}, 2).rows, {0, 2});
  assert_line(extended(bank_of(line({0}), Distance::SquaredL2), line({below, 2}), {}, 4).rows,
              {0, 2});
}
END_TEST

START_TEST(a_patch_that_a_learnt_one_covers_is_not_taken) {
  // 9 covers 8 and 7.5; 5 is left, 4 from both 9 and 1.
  assert_line(extended(bank_of(line({0, 1})), line({5, 7.5f, 9, 8, 1.5f}), {}, 2).rows,
              {0, 1, 9, 5});
}
END_TEST

START_TEST(of_equally_far_patches_the_first_is_taken) {
  assert_line(extended(bank_of(line({0})), line({-3, 3, -3}), {}, 1).rows, {0, -3, 3});
}
END_TEST

START_TEST(a_distance_of_0_or_less_takes_every_patch_that_is_no_copy) {
  const at::Tensor rows = float_noise("rows", {30, 5});
  const at::Tensor fresh = float_noise("fresh", {20, 5});
  const at::Tensor patches = at::cat({fresh, rows.slice(0, 3, 9), fresh.flip(0), fresh});
  for (const double covered : {0.0, -1.0}) {
    const at::Tensor ours = extended(bank_of(rows), patches, {}, covered).rows;
    ck_assert_int_eq(ours.size(0), 50);
    for (const double value : naive_values(ours, patches, false)) ck_assert_double_eq(value, 0);
  }
}
END_TEST

START_TEST(patches_that_are_covered_or_none_at_all_change_nothing) {
  const MemoryBank bank = bank_of(float_noise("rows", {30, 5}));
  const at::Tensor far = float_noise("far", {10, 5}) + 100;
  for (const MemoryBank& same :
       {extended(bank, at::empty({0, 5}), {}, 0.1), extended(bank, at::empty({0, 5}), {}, 0),
        extended(bank, bank.rows, {}, 0.1), extended(bank, far, {}, INFINITY)}) {
    ck_assert(same.rows.equal(bank.rows));
    ck_assert(same.neighbours.equal(bank.neighbours));
    assert_text(same.id, bank.identify());
  }
}
END_TEST

START_TEST(neighbours_are_those_of_the_larger_bank) {
  for (const int64_t rows : {1, 2, 30})
    for (const int64_t patches : {1, 3, 20}) {
      const MemoryBank bank = bank_of(float_noise("rows", {rows, 4}), Distance::L2, 5);
      const MemoryBank larger = extended(bank, float_noise("patches", {patches, 4}), {}, 0);
      ck_assert_int_eq(larger.size(), rows + patches);
      const at::Tensor all = larger.rows.to(at::kDouble);
      const at::Tensor exact = at::cdist(all, all, 2, /*compute_mode=*/2);
      const int64_t b = std::min<int64_t>(5, rows + patches);
      ck_assert(larger.neighbours.equal(std::get<1>(exact.topk(b, 1, /*largest=*/false))));
    }
}
END_TEST

START_TEST(all_else_of_the_bank_is_kept_and_the_bank_is_not_changed) {
  const MemoryBank bank = built({.seed = 7});
  const at::Tensor before = bank.rows.clone();
  const MemoryBank larger = extended(bank, bank.rows + 1, {}, 0.1);
  ck_assert_int_gt(larger.size(), bank.size());
  ck_assert(bank.rows.equal(before));
  ck_assert(larger.settings == bank.settings);
  ck_assert(larger.calibration.scores == bank.calibration.scores);
  ck_assert_double_eq(larger.calibration.threshold, bank.calibration.threshold);
  assert_text(larger.weights_id, bank.weights_id);
  assert_text(larger.precision, bank.precision);
  ck_assert_uint_eq(larger.seed, 7);
  ck_assert_int_eq(larger.frames, bank.frames);
}
END_TEST

START_TEST(a_larger_bank_has_an_id_of_its_own_and_no_file) {
  const TemporaryFolder folder;
  built().save(folder / "f");
  const MemoryBank bank = MemoryBank::load(folder / "f");
  const MemoryBank larger = extended(bank, bank.rows + 1, {}, 0.1);
  assert_text(larger.id, larger.identify());
  ck_assert_str_ne(larger.id.c_str(), bank.id.c_str());
  assert_text(larger.origin, "");
  larger.save(folder / "f");
  assert_text(MemoryBank::load(folder / "f").id, larger.id);
}
END_TEST

START_TEST(patches_that_are_no_rows_of_the_bank_are_refused) {
  const MemoryBank bank = bank_of(float_noise("rows", {30, 5}));
  const auto refuse = [&](const at::Tensor& patches, double covered,
                          const std::vector<std::string>& parts) {
    assert_refused(ErrorCode::InvalidArgument, parts, "patches",
                   [&] { extended(bank, patches, {}, covered); });
  };
  refuse(at::zeros({3, 4}), 1, {"5", "4"});
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    at::Tensor patches = at::zeros({3, 5});
    patches[2][4] = value;
    refuse(patches, 1, {"NaN"});
  }
  refuse(at::zeros({3, 5}), NAN, {"not a number"});
}
END_TEST

START_TEST(learning_is_cancelled_at_whatever_moment) {
  const MemoryBank bank = bank_of(float_noise("rows", {3000, 50}));
  const at::Tensor patches = float_noise("patches", {30000, 50}) * 3;
  int looks = 0;
  extended(bank, patches, {}, 20, {{}, [&] { return ++looks < 0; }});
  ck_assert_int_gt(looks, 20);
  for (const int moment : {1, 2, looks / 4, looks / 2, looks - 1, looks}) {
    int seen = 0;
    assert_refused(ErrorCode::Cancelled, {}, "extended", [&] {
      extended(bank, patches, {}, 20, {{}, [&] { return ++seen == moment; }});
    });
    ck_assert_int_eq(seen, moment);
  }
}
END_TEST

START_TEST(a_false_alarm_that_was_learnt_is_none_any_more_in_every_preset) {
  for (const Preset preset :
       {Preset::Paper, Preset::Official, Preset::Anomalib, Preset::Article, Preset::Inspect}) {
    Settings s = Settings::from_preset(preset);
    s.resize = {kInput.width, kInput.height};
    s.crop = 0;
    Fit fit(builtin(), s, {});
    add_normal(fit);
    const Detector before = detector_of(fit.build());
    const double threshold = before.bank().calibration.threshold;
    const Picture alarm = defective(20);
    ck_assert_double_ge(score(before, alarm).score, threshold);
    const Detector after = detector_of(learnt(before, alarm, threshold / 2));
    ck_assert_double_lt(score(after, alarm).score, threshold);
    ck_assert_double_lt(score(after, defective(21)).score, score(before, defective(21)).score);
    for (int i = 30; i < 33; ++i)
      ck_assert_double_le(score(after, normal(i)).map_peak, score(before, normal(i)).map_peak);
  }
}
END_TEST

START_TEST(every_patch_that_was_learnt_is_below_what_is_covered_for_a_detector_too) {
  const Detector before = detector_of(built());
  const Picture alarm = defective(20);
  for (const double covered : {0.05, 0.1, 0.2}) {
    const Detector after = detector_of(learnt(before, alarm, covered));
    Request request{alarm.data(), &after, nullptr, {}, covered};
    infer(*builtin(), kInput, {&request, 1});
    ck_assert_int_eq(request.result.patches.size(0), 0);
  }
}
END_TEST

int main() {
  Suite* suite = suite_create("bank-extension");
  TCase* tests = tcase_create("bank-extension");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, the_old_rows_come_first_then_the_farthest_patches_until_all_are_covered);
  tcase_add_test(tests,
                 a_patch_at_the_distance_that_is_covered_is_taken_and_the_next_nearer_one_is_not);
  tcase_add_test(tests, a_patch_that_a_learnt_one_covers_is_not_taken);
  tcase_add_test(tests, of_equally_far_patches_the_first_is_taken);
  tcase_add_test(tests, a_distance_of_0_or_less_takes_every_patch_that_is_no_copy);
  tcase_add_test(tests, patches_that_are_covered_or_none_at_all_change_nothing);
  tcase_add_test(tests, neighbours_are_those_of_the_larger_bank);
  tcase_add_test(tests, all_else_of_the_bank_is_kept_and_the_bank_is_not_changed);
  tcase_add_test(tests, a_larger_bank_has_an_id_of_its_own_and_no_file);
  tcase_add_test(tests, patches_that_are_no_rows_of_the_bank_are_refused);
  tcase_add_test(tests, learning_is_cancelled_at_whatever_moment);
  tcase_add_test(tests, a_false_alarm_that_was_learnt_is_none_any_more_in_every_preset);
  tcase_add_test(tests, every_patch_that_was_learnt_is_below_what_is_covered_for_a_detector_too);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
