// SPDX-License-Identifier: LGPL-2.1-or-later
// From a bank to verdicts, with the built-in network.

#include "station.hpp"

using namespace station;

namespace {

void assert_incompatible(MemoryBank bank, const std::vector<std::string>& both) {
  assert_refused(ErrorCode::Incompatible, both, both[0], [&] { detector_of(std::move(bank)); });
}

/// A picture's patches as the network and the embedding make them.
at::Tensor patches_of(const Picture& picture, const Settings& settings) {
  const at::Tensor rgb =
      at::tensor(picture, at::kByte).reshape({1, kInput.height, kInput.width, 3});
  return PatchEmbedding(settings)(builtin()->features(Preprocess::normalise(rgb))).rows;
}

/// Value and index of each patch, by fp64, the largest value first.
std::vector<std::pair<double, int64_t>> naive_values(const at::Tensor& patches,
                                                     const MemoryBank& bank) {
  std::vector<std::pair<double, int64_t>> values;
  for (int64_t i = 0; i < patches.size(0); ++i) {
    const at::Tensor difference = bank.rows.to(at::kDouble) - patches[i].to(at::kDouble);
    const double square = difference.square().sum(1).min().item<double>();
    const bool squared = bank.settings.distance == Distance::SquaredL2;
    values.emplace_back(squared ? square : std::sqrt(square), i);
  }
  std::sort(values.rbegin(), values.rend());
  return values;
}

at::Tensor rows_in_order(const at::Tensor& patches,
                         const std::vector<std::pair<double, int64_t>>& values, size_t count) {
  std::vector<at::Tensor> rows;
  for (size_t i = 0; i < count; ++i) rows.push_back(patches[values[i].second]);
  return at::stack(rows);
}

Result kept_above(const Detector& detector, const Picture& picture, double bound) {
  Request request{picture.data(), &detector, nullptr, {}, bound};
  infer(*builtin(), kInput, {&request, 1});
  return request.result;
}

}  // namespace

START_TEST(a_foreign_patch_scores_above_every_normal_frame_in_every_preset) {
  for (const Preset preset :
       {Preset::Paper, Preset::Official, Preset::Anomalib, Preset::Article, Preset::Inspect}) {
    Settings s = Settings::from_preset(preset);
    s.resize = {kInput.width, kInput.height};
    s.crop = 0;
    Fit fit(builtin(), s, {});
    add_normal(fit);
    const Detector detector = detector_of(fit.build());
    double worst = 0;
    for (int i = 20; i < 26; ++i) worst = std::max(worst, score(detector, normal(i)).score);
    for (int i = 20; i < 23; ++i) ck_assert_double_gt(score(detector, defective(i)).score, worst);
  }
}
END_TEST

START_TEST(the_peak_and_the_maps_maximum_are_at_the_foreign_patch) {
  const Detector detector = detector_of(built());
  const Result result = score(detector, defective(20));
  ck_assert_double_ge(result.peak_x * kInput.width, 56 - 8);
  ck_assert_double_le(result.peak_x * kInput.width, 72 + 8);
  ck_assert_double_ge(result.peak_y * kInput.height, 24 - 8);
  ck_assert_double_le(result.peak_y * kInput.height, 40 + 8);
  ck_assert((result.map.sizes() == at::IntArrayRef{kInput.height, kInput.width}));
  ck_assert_double_eq(result.map_peak, result.map.max().item<double>());
  const int64_t at = result.map.argmax().item<int64_t>();
  ck_assert_int_ge(at % kInput.width, 48);
  ck_assert_int_lt(at % kInput.width, 80);
  ck_assert_int_ge(at / kInput.width, 16);
  ck_assert_int_lt(at / kInput.width, 48);
}
END_TEST

START_TEST(the_calibrated_verdict_tells_the_foreign_patch_from_normal_frames) {
  const Detector detector = detector_of(built());
  ck_assert_uint_eq(detector.bank().calibration.scores.size(), kFrames);
  ck_assert_double_gt(score(detector, defective(20)).normalized_score, 0.5);
  ck_assert_double_lt(score(detector, normal(0)).normalized_score, 0.5);
}
END_TEST

START_TEST(a_frame_of_the_fit_scores_0_against_all_of_its_patches) {
  FitOptions options;
  options.coreset_ratio = 1;
  const Detector detector = detector_of(built(options));
  for (int i = 0; i < kFrames; ++i) ck_assert_double_eq(score(detector, normal(i)).score, 0);
}
END_TEST

START_TEST(a_bank_of_another_network_is_refused_with_both_names) {
  MemoryBank bank = built();
  bank.settings.backbone = "resnet18";
  assert_incompatible(bank, {"resnet18", "builtin"});
}
END_TEST

START_TEST(a_bank_of_other_weights_is_refused_with_both_ids) {
  MemoryBank bank = built();
  bank.weights_id = "0123abcd";
  assert_incompatible(bank, {"0123abcd", builtin()->weights_id()});
}
END_TEST

START_TEST(a_bank_of_other_layers_is_refused_with_both_lists) {
  MemoryBank bank = built();
  bank.settings.layers = {"layer2", "layer3"};
  assert_incompatible(bank, {"layer2, layer3", "fine, coarse"});
}
END_TEST

START_TEST(a_bank_of_another_width_is_refused_with_both_widths) {
  MemoryBank bank = built();
  const std::string width = std::to_string(bank.width());
  bank.rows = at::cat({bank.rows, bank.rows}, 1);
  const Detector detector = detector_of(bank);
  assert_refused(ErrorCode::Incompatible, {width, std::to_string(bank.rows.size(1))}, "width",
                 [&] { score(detector, normal(9)); });
}
END_TEST

START_TEST(one_batch_serves_detectors_and_fits_together) {
  const Detector coarse = detector_of(built({.coreset_ratio = 0.01}));
  const Detector fine = detector_of(built({.coreset_ratio = 0.5}));
  Fit fit(builtin(), settings(), {});
  const Picture bad = defective(20), good = normal(4);
  std::vector<Request> requests{{bad.data(), &coarse, nullptr, {}},
                                {good.data(), nullptr, &fit, {}},
                                {bad.data(), &fine, nullptr, {}},
                                {good.data(), &coarse, nullptr, {}}};
  infer(*builtin(), kInput, requests);
  ck_assert_int_eq(fit.frames(), 1);
  for (const int i : {0, 2, 3}) {
    const Picture& picture = i == 3 ? good : bad;
    const double alone = score(i == 2 ? fine : coarse, picture).score;
    ck_assert_double_eq_tol(requests[i].result.score, alone, 1e-5 * alone);
  }
}
END_TEST

START_TEST(floats_and_bytes_of_one_picture_score_the_same_together_and_alone) {
  const Detector detector = detector_of(built());
  const Picture bytes = defective(3);
  const std::vector<float> floats(bytes.begin(), bytes.end());
  std::vector<Request> both(2);
  both[0] = {bytes.data(), &detector, nullptr, {}};
  both[1].detector = &detector;
  both[1].rgb_floats = floats.data();
  infer(*builtin(), kInput, both);
  const double alone = score(detector, bytes).score;
  ck_assert_double_eq_tol(both[0].result.score, alone, 1e-5 * alone);
  ck_assert_double_eq_tol(both[1].result.score, alone, 1e-5 * alone);
}
END_TEST

START_TEST(a_fit_learns_copies_of_floats_too) {
  Settings s = settings();
  s.augmentation = {Augmentation::Shift, Augmentation::Brightness};
  const auto rows = [&](bool floats) {
    Fit fit(builtin(), s, {.coreset_ratio = 1, .folds = 0});
    const Picture bytes = normal(0);
    const std::vector<float> values(bytes.begin(), bytes.end());
    Request request;
    request.rgb_floats = floats ? values.data() : nullptr;
    request.rgb = floats ? nullptr : bytes.data();
    request.fit = &fit;
    infer(*builtin(), kInput, {&request, 1});
    return fit.build().rows.sum(0);
  };
  // Brightened bytes are rounded, floats are not.
  ck_assert_double_le(relative_error(rows(true), rows(false)), 1e-2);
}
END_TEST

START_TEST(scores_and_maps_do_not_depend_on_the_batch) {
  const Detector detector = detector_of(built());
  std::vector<Picture> pictures;
  for (int i = 0; i < 7; ++i) pictures.push_back(i % 2 ? defective(30 + i) : normal(30 + i));
  std::vector<Request> requests;
  for (const Picture& picture : pictures)
    requests.push_back({picture.data(), &detector, nullptr, {}});
  infer(*builtin(), kInput, requests);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const Result alone = score(detector, pictures[i]);
    const Result& together = requests[i].result;
    ck_assert_double_eq_tol(together.score, alone.score, 1e-5 * alone.score);
    ck_assert_double_le(relative_error(together.map, alone.map), 1e-5);
    ck_assert_double_eq(together.peak_x, alone.peak_x);
    ck_assert_double_eq(together.peak_y, alone.peak_y);
  }
}
END_TEST

// Whatever the score is made of.
START_TEST(images_that_are_scored_together_score_as_each_alone) {
  MemoryBank bank = built();
  std::vector<at::Tensor> rows;
  for (int i = 0; i < 5; ++i)
    rows.push_back(patches_of(i % 2 ? defective(30 + i) : normal(30 + i), bank.settings));
  const Embedding together{at::cat(rows), 5, kInput.height / 8, kInput.width / 8};
  for (const auto scoring : {ImageScoring::Reweighted, ImageScoring::Article, ImageScoring::TopMean,
                             ImageScoring::MapMaximum, ImageScoring::Maximum}) {
    bank.settings.image_scoring = scoring;
    const Detector detector = detector_of(bank);
    const std::vector<Result> results = detector.score(together, kInput, 0.0);
    ck_assert_uint_eq(results.size(), 5);
    for (size_t i = 0; i < rows.size(); ++i) {
      const Result alone =
          detector.score({rows[i], 1, together.height, together.width}, kInput, 0.0).front();
      ck_assert_double_eq_tol(results[i].score, alone.score, 1e-5 * alone.score);
      ck_assert_double_eq_tol(results[i].map_peak, alone.map_peak, 1e-5 * alone.map_peak);
      ck_assert_double_le(relative_error(results[i].map, alone.map), 1e-5);
      ck_assert_double_eq(results[i].peak_x, alone.peak_x);
      ck_assert_double_eq(results[i].peak_y, alone.peak_y);
      ck_assert(results[i].patches.equal(alone.patches));
    }
  }
}
END_TEST

// A patch's value against fp64 loops over the bank.
START_TEST(patches_are_kept_whose_distance_is_at_or_above_the_bound_the_largest_first) {
  for (const Preset preset : {Preset::Official, Preset::Anomalib}) {
    Settings s = Settings::from_preset(preset);
    s.resize = {kInput.width, kInput.height};
    s.crop = 0;
    Fit fit(builtin(), s, {.bank_size = 40, .folds = 0});
    add_normal(fit);
    const Detector detector = detector_of(fit.build());
    const Picture picture = defective(20);
    const at::Tensor patches = patches_of(picture, detector.settings());
    const auto values = naive_values(patches, detector.bank());
    for (const size_t count : {1u, 5u, 40u, 96u}) {
      // Between two values, which fp32 tells apart.
      const double bound = count < values.size()
                               ? (values[count - 1].first + values[count].first) / 2
                               : values.back().first / 2;
      const Result result = kept_above(detector, picture, bound);
      ck_assert_int_eq(result.patches.size(0), count);
      ck_assert(result.patches.equal(rows_in_order(patches, values, count)));
    }
  }
}
END_TEST

START_TEST(every_patch_is_kept_at_the_least_bound_and_none_at_the_largest) {
  const Detector detector = detector_of(built());
  const Picture picture = defective(20);
  ck_assert_int_eq(kept_above(detector, picture, -INFINITY).patches.size(0), 96);
  ck_assert_int_eq(kept_above(detector, picture, INFINITY).patches.size(0), 0);
  ck_assert_int_eq(kept_above(detector, picture, NAN).patches.size(0), 0);
  ck_assert(!score(detector, picture).patches.defined());
}
END_TEST

START_TEST(a_patch_at_the_bound_is_kept_and_below_the_next_double_is_not) {
  // Without a blur the map's largest value is that of the worst patch.
  Settings s = settings();
  s.map_sigma = 0;
  Fit fit(builtin(), s, {});
  add_normal(fit);
  const Detector detector = detector_of(fit.build());
  const Picture picture = defective(20);
  const double worst = score(detector, picture).map_peak;
  ck_assert_int_eq(kept_above(detector, picture, worst).patches.size(0), 1);
  ck_assert_int_eq(kept_above(detector, picture, std::nextafter(worst, 1e9)).patches.size(0), 0);
}
END_TEST

START_TEST(each_request_of_a_batch_keeps_what_it_asked_for) {
  const Detector detector = detector_of(built());
  const Picture picture = defective(20), good = normal(20);
  std::vector<Request> requests{{picture.data(), &detector, nullptr, {}, 0.1},
                                {picture.data(), &detector, nullptr, {}},
                                {good.data(), &detector, nullptr, {}, 0.1}};
  infer(*builtin(), kInput, requests);
  ck_assert_int_eq(requests[0].result.patches.size(0),
                   kept_above(detector, picture, 0.1).patches.size(0));
  ck_assert(!requests[1].result.patches.defined());
  ck_assert_int_lt(requests[2].result.patches.size(0), requests[0].result.patches.size(0));
}
END_TEST

START_TEST(a_saved_bank_scores_as_the_one_in_memory) {
  const TemporaryFolder folder;
  const MemoryBank bank = built();
  bank.save(folder / "bank");
  const Detector before = detector_of(bank), after = detector_of(MemoryBank::load(folder / "bank"));
  const Result a = score(before, defective(20)), b = score(after, defective(20));
  ck_assert_double_eq(a.score, b.score);
  ck_assert_double_eq(a.normalized_score, b.normalized_score);
  ck_assert(a.map.equal(b.map));
}
END_TEST

START_TEST(one_bank_on_one_network_is_one_detector_for_as_long_as_anybody_has_it) {
  const auto bank = std::make_shared<const MemoryBank>(built());
  const auto same_rows = std::make_shared<const MemoryBank>(*bank);
  auto detector = Detector::get(builtin(), bank);
  ck_assert_ptr_eq(Detector::get(builtin(), bank).get(), detector.get());
  ck_assert_ptr_ne(Detector::get(builtin(), same_rows).get(), detector.get());
  const std::weak_ptr<const Detector> watched = detector;
  detector.reset();
  ck_assert(watched.expired());
}
END_TEST

int main() {
  Suite* suite = suite_create("detector");
  TCase* tests = tcase_create("detector");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_foreign_patch_scores_above_every_normal_frame_in_every_preset);
  tcase_add_test(tests, the_peak_and_the_maps_maximum_are_at_the_foreign_patch);
  tcase_add_test(tests, the_calibrated_verdict_tells_the_foreign_patch_from_normal_frames);
  tcase_add_test(tests, a_frame_of_the_fit_scores_0_against_all_of_its_patches);
  tcase_add_test(tests, a_bank_of_another_network_is_refused_with_both_names);
  tcase_add_test(tests, a_bank_of_other_weights_is_refused_with_both_ids);
  tcase_add_test(tests, a_bank_of_other_layers_is_refused_with_both_lists);
  tcase_add_test(tests, a_bank_of_another_width_is_refused_with_both_widths);
  tcase_add_test(tests, one_batch_serves_detectors_and_fits_together);
  tcase_add_test(tests, floats_and_bytes_of_one_picture_score_the_same_together_and_alone);
  tcase_add_test(tests, a_fit_learns_copies_of_floats_too);
  tcase_add_test(tests, scores_and_maps_do_not_depend_on_the_batch);
  tcase_add_test(tests, images_that_are_scored_together_score_as_each_alone);
  tcase_add_test(tests, patches_are_kept_whose_distance_is_at_or_above_the_bound_the_largest_first);
  tcase_add_test(tests, every_patch_is_kept_at_the_least_bound_and_none_at_the_largest);
  tcase_add_test(tests, a_patch_at_the_bound_is_kept_and_below_the_next_double_is_not);
  tcase_add_test(tests, each_request_of_a_batch_keeps_what_it_asked_for);
  tcase_add_test(tests, a_saved_bank_scores_as_the_one_in_memory);
  tcase_add_test(tests, one_bank_on_one_network_is_one_detector_for_as_long_as_anybody_has_it);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
