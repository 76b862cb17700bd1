// SPDX-License-Identifier: LGPL-2.1-or-later
// From pictures to a bank, with the built-in network.

#include "station.hpp"

using namespace station;

namespace {

void assert_options_refused(const char* what, const FitOptions& options) {
  assert_refused(ErrorCode::InvalidArgument, {}, what,
                 [&] { Fit(builtin(), settings(), options); });
}

}  // namespace

START_TEST(the_bank_tells_what_it_was_made_of) {
  FitOptions options;
  options.seed = 42;
  const MemoryBank bank = built(options);
  assert_text(bank.settings.backbone, "builtin");
  ck_assert((bank.settings.layers == std::vector<std::string>{"fine", "coarse"}));
  assert_text(bank.weights_id, builtin()->weights_id().c_str());
  assert_text(bank.precision, nick(builtin()->options().precision));
  ck_assert_uint_eq(bank.seed, 42);
  ck_assert_int_eq(bank.frames, kFrames);
}
END_TEST

START_TEST(a_bank_has_the_rows_that_the_options_ask_for) {
  const int64_t patches = kFrames * (kInput.width / 8) * (kInput.height / 8);
  FitOptions options;
  options.folds = 0;
  ck_assert_int_eq(built(options).size(), patches / 10);
  options.max_bank_size = 50;
  ck_assert_int_eq(built(options).size(), 50);
  options.bank_size = 70;
  ck_assert_int_eq(built(options).size(), 70);
  options.bank_size = 10 * patches;
  ck_assert_int_eq(built(options).size(), patches);
  options = {.coreset_ratio = 1e-9, .folds = 0};
  const MemoryBank one = built(options);
  ck_assert_int_eq(one.size(), 1);
  ck_assert_int_eq(one.neighbours.size(1), 1);
}
END_TEST

START_TEST(the_same_seed_builds_the_same_bank_and_another_seed_another) {
  FitOptions options;
  const MemoryBank first = built(options), second = built(options);
  ck_assert(first.rows.equal(second.rows));
  ck_assert(first.neighbours.equal(second.neighbours));
  ck_assert(first.calibration.scores == second.calibration.scores);
  options.seed = 1;
  ck_assert(!built(options).rows.equal(first.rows));
}
END_TEST

START_TEST(every_row_of_a_bank_is_a_patch_of_the_frames) {
  FitOptions all{.coreset_ratio = 1, .folds = 0};
  FitOptions few{.bank_size = 20, .folds = 0};
  const at::Tensor patches = built(all).rows;
  for (const at::Tensor& row : built(few).rows.unbind(0))
    ck_assert(patches.eq(row).all(1).any().item<bool>());
}
END_TEST

START_TEST(a_bank_that_was_built_has_the_id_of_its_content) {
  const MemoryBank bank = built();
  assert_text(bank.id, bank.identify());
}
END_TEST

START_TEST(building_goes_on_after_more_frames) {
  Fit fit(builtin(), settings(), {});
  add_normal(fit, 3);
  ck_assert_int_eq(fit.build().frames, 3);
  infer_one(normal(3), nullptr, &fit, nullptr);
  ck_assert_int_eq(fit.frames(), 4);
  ck_assert(fit.build().rows.equal(built({}, 4).rows));
}
END_TEST

START_TEST(without_a_frame_there_is_no_bank) {
  const Fit fit(builtin(), settings(), {});
  assert_refused(ErrorCode::InvalidArgument, {"frame"}, "empty", [&] { fit.build(); });
}
END_TEST

START_TEST(one_frame_or_no_folds_make_a_bank_without_calibration) {
  ck_assert(!built({}, 1).calibration.valid());
  ck_assert(!built({.folds = 0}).calibration.valid());
  const Detector detector = detector_of(built({}, 1));
  ck_assert_double_nan(score(detector, normal(9)).normalized_score);
}
END_TEST

START_TEST(more_folds_than_frames_leave_out_one_frame_each) {
  ck_assert_uint_eq(built({.folds = 100}, 3).calibration.scores.size(), 3);
}
END_TEST

// Frames in pairs of copies: neighbours in one fold have no copy in the bank that scores them.
START_TEST(folds_of_video_are_contiguous_and_of_pictures_are_shuffled) {
  const auto scores = [](Folds order) {
    Fit fit(builtin(), settings(), {.coreset_ratio = 1, .folds = 4, .fold_order = order});
    for (int i = 0; i < 8; ++i) infer_one(normal(i / 2), nullptr, &fit, nullptr);
    return fit.build().calibration;
  };
  const Calibration video = scores(Folds::Contiguous), pictures = scores(Folds::Shuffled);
  ck_assert_double_gt(video.scores.front(), 1e-3);
  ck_assert_double_lt(pictures.scores.front(), 1e-5);  // its copy was in the bank
  ck_assert(video.method != pictures.method);
  ck_assert(pictures.scores == scores(Folds::Shuffled).scores);
}
END_TEST

namespace {

/// Twelve normal frames with a defective one among them.
MemoryBank built_with_a_defect(bool drop, Outliers* outliers) {
  Fit fit(builtin(), settings(), {.coreset_ratio = 1, .drop_outliers = drop});
  for (int i = 0; i < 13; ++i) infer_one(i == 5 ? defective(i) : normal(i), nullptr, &fit, nullptr);
  MemoryBank bank = fit.build();
  *outliers = fit.outliers();
  return bank;
}

}  // namespace

START_TEST(a_defect_among_the_frames_is_told_and_is_left_out_where_that_is_asked_for) {
  Outliers told, dropped;
  const MemoryBank with = built_with_a_defect(false, &told),
                   without = built_with_a_defect(true, &dropped);
  for (const Outliers& outliers : {told, dropped}) {
    ck_assert_uint_eq(outliers.frames.size(), 1);
    ck_assert_int_eq(outliers.frames[0].frame, 5);
    ck_assert_double_gt(outliers.frames[0].score, outliers.limit);
  }
  ck_assert_int_eq(with.frames, 13);
  ck_assert_int_eq(without.frames, 12);
  ck_assert_uint_eq(without.calibration.scores.size(), 12);
  ck_assert_double_lt(score(detector_of(with), defective(5)).score, 1e-3);
  ck_assert_double_ge(score(detector_of(without), defective(5)).normalized_score, 0.5);
}
END_TEST

START_TEST(frames_that_belong_are_no_outliers) {
  Fit fit(builtin(), settings(), {.drop_outliers = true});
  add_normal(fit, 12);
  ck_assert_int_eq(fit.build().frames, 12);
  ck_assert(fit.outliers().frames.empty());
}
END_TEST

START_TEST(the_fence_is_tukeys) {
  // 1 to 20 and two beyond: quartiles of 22 at 6.25 and 16.75, so 16.75 + 3 * 10.5.
  std::vector<HeldOut> frames;
  for (int i = 1; i <= 20; ++i) frames.push_back({static_cast<float>(i), 0});
  frames.insert(frames.begin() + 3, {49, 0});
  frames.push_back({1000, 0});
  const Outliers found = find_outliers(frames);
  ck_assert_double_eq_tol(found.limit, 48.25, 1e-9);
  ck_assert_uint_eq(found.frames.size(), 2);
  ck_assert_int_eq(found.frames[0].frame, 21);
  ck_assert_int_eq(found.frames[1].frame, 3);
  frames.resize(7);
  ck_assert(find_outliers(frames).frames.empty());
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused) {
  for (const double ratio : {0.0, -0.1, 1.01, double{NAN}, double{INFINITY}})
    assert_options_refused("ratio", {.coreset_ratio = ratio});
  for (const double rate : {-0.1, 1.0, double{NAN}})
    assert_options_refused("rate", {.false_alarms = {.rate = rate}});
  for (const double alarms : {-1.0, double{NAN}, double{INFINITY}})
    assert_options_refused("alarms", {.false_alarms = {.per_hour = alarms}});
  assert_options_refused("bank size", {.bank_size = -1});
  assert_options_refused("outliers without folds", {.folds = 0, .drop_outliers = true});
  assert_options_refused("largest bank size", {.max_bank_size = -1});
}
END_TEST

START_TEST(a_build_is_cancelled_at_whatever_moment) {
  Fit fit(builtin(), settings(), {});
  add_normal(fit);
  int looks = 0;
  fit.build({{}, [&] { return ++looks < 0; }});
  ck_assert_int_gt(looks, 100);
  for (const int moment : {1, 2, looks / 2, looks}) {
    int seen = 0;
    assert_refused(ErrorCode::Cancelled, {}, "build", [&] {
      fit.build({{}, [&] { return ++seen == moment; }});
    });
    ck_assert_int_eq(seen, moment);
  }
}
END_TEST

START_TEST(progress_of_a_build_never_falls_and_ends_at_one) {
  Fit fit(builtin(), settings(), {});
  add_normal(fit);
  double last = 0;
  fit.build({[&](double fraction) {
               ck_assert_double_ge(fraction, last);
               last = fraction;
             },
             {}});
  ck_assert_double_eq_tol(last, 1, 1e-9);
}
END_TEST

int main() {
  Suite* suite = suite_create("fit");
  TCase* tests = tcase_create("fit");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, the_bank_tells_what_it_was_made_of);
  tcase_add_test(tests, a_bank_has_the_rows_that_the_options_ask_for);
  tcase_add_test(tests, the_same_seed_builds_the_same_bank_and_another_seed_another);
  tcase_add_test(tests, every_row_of_a_bank_is_a_patch_of_the_frames);
  tcase_add_test(tests, a_bank_that_was_built_has_the_id_of_its_content);
  tcase_add_test(tests, building_goes_on_after_more_frames);
  tcase_add_test(tests, without_a_frame_there_is_no_bank);
  tcase_add_test(tests, one_frame_or_no_folds_make_a_bank_without_calibration);
  tcase_add_test(tests, more_folds_than_frames_leave_out_one_frame_each);
  tcase_add_test(tests, folds_of_video_are_contiguous_and_of_pictures_are_shuffled);
  tcase_add_test(tests, a_defect_among_the_frames_is_told_and_is_left_out_where_that_is_asked_for);
  tcase_add_test(tests, frames_that_belong_are_no_outliers);
  tcase_add_test(tests, the_fence_is_tukeys);
  tcase_add_test(tests, options_that_make_no_sense_are_refused);
  tcase_add_test(tests, a_build_is_cancelled_at_whatever_moment);
  tcase_add_test(tests, progress_of_a_build_never_falls_and_ends_at_one);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
