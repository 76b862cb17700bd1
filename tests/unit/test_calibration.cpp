// SPDX-License-Identifier: LGPL-2.1-or-later
// Thresholds as order statistics of normal frames' scores, and the normalized score of the design:
// z = (s - t) / (t - m), n = 0.5 + 0.5 z / (1 + |z|).

#include <cmath>

#include "calibration.hpp"
#include "confidence.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

/// n, n - 1, ... 1.
std::vector<float> falling(int n) {
  std::vector<float> values;
  for (int i = n; i > 0; --i) values.push_back(static_cast<float>(i));
  return values;
}

/// The largest value of a frame's map is twice its score here.
std::vector<HeldOut> frames_of(const std::vector<float>& scores) {
  std::vector<HeldOut> frames;
  for (const float score : scores) frames.push_back({score, 2 * score});
  return frames;
}

Calibration of_scores(const std::vector<float>& scores, double rate) {
  return Calibration::from_frames(frames_of(scores), {.rate = rate});
}

/// An hour of a frame a second: all score 1, save one alone with 20, and three times two in a row
/// with 10, 8 and 6.
std::vector<HeldOut> hour() {
  std::vector<float> scores(3600, 1);
  scores[100] = 20;
  scores[500] = scores[501] = 10;
  scores[1500] = scores[1501] = 8;
  scores[2500] = scores[2501] = 6;
  return frames_of(scores);
}

constexpr Video kHour{.seconds = 3600, .alarm_frames = 2, .alarm_hysteresis = 0.05};

double just_above(float value) { return std::nextafter(value, INFINITY); }

Calibration with(double threshold, double median) {
  Calibration c = of_scores({1}, 0);
  c.threshold = threshold;
  c.median = median;
  return c;
}

}  // namespace

START_TEST(the_threshold_is_just_above_the_observation_that_the_rate_leaves) {
  const std::vector<std::pair<double, float>> expected{
      {0, 10}, {0.01, 10}, {0.0999, 10}, {0.1, 9}, {0.125, 9}, {0.25, 8}, {0.5, 5}, {0.95, 1}};
  for (const auto& [rate, observation] : expected)
    ck_assert_double_eq(of_scores(falling(10), rate).threshold, just_above(observation));
}
END_TEST

START_TEST(at_most_the_rate_of_the_scores_reaches_the_threshold_and_no_lower_one_would_do) {
  for (const double rate : {0.0, 0.125, 0.25, 0.5, 0.75}) {
    for (int n = 1; n <= 40; ++n) {
      const double threshold = of_scores(falling(n), rate).threshold;
      // n scores 1..n: those from ceil(threshold) on reach it.
      const int reached = n - static_cast<int>(std::ceil(threshold)) + 1;
      ck_assert_double_le(reached, rate * n);
      ck_assert_double_gt(reached + 1, rate * n);
    }
  }
}
END_TEST

START_TEST(scores_and_peaks_are_kept_in_order_and_have_medians_of_their_own) {
  const Calibration c = Calibration::from_frames({{3, 2}, {1, 8}, {2, 4}}, {});
  ck_assert((c.scores == std::vector<float>{1, 2, 3}));
  ck_assert((c.map_peaks == std::vector<float>{2, 4, 8}));
  ck_assert_double_eq(c.median, 2);
  ck_assert_double_eq(c.pixel_median, 4);
  ck_assert_double_eq(c.threshold, just_above(3));
  ck_assert_double_eq(c.pixel_threshold, just_above(8));
}
END_TEST

START_TEST(one_score_is_a_calibration) {
  const Calibration c = of_scores({2}, 0.01);
  ck_assert(c.valid());
  ck_assert_double_eq(c.median, 2);
  ck_assert_double_eq(c.threshold, just_above(2));
}
END_TEST

START_TEST(without_scores_there_is_no_calibration_and_no_normalized_score) {
  ck_assert(!of_scores({}, 0.01).valid());
  ck_assert_double_nan(Calibration().normalise(1));
}
END_TEST

START_TEST(normalized_scores_are_those_of_the_formula) {
  const Calibration c = with(3, 1);
  ck_assert_double_eq_tol(c.normalise(3), 0.5, 1e-15);      // z = 0
  ck_assert_double_eq_tol(c.normalise(1), 0.25, 1e-15);     // z = -1
  ck_assert_double_eq_tol(c.normalise(5), 0.75, 1e-15);     // z = 1
  ck_assert_double_eq_tol(c.normalise(7), 5.0 / 6, 1e-15);  // z = 2
  ck_assert_double_eq_tol(c.normalise(0), 0.2, 1e-15);      // z = -3/2
  ck_assert_double_eq_tol(c.normalise(-5), 0.1, 1e-15);     // z = -4
}
END_TEST

START_TEST(the_worst_normal_frame_of_the_calibration_is_below_one_half) {
  const Calibration c = of_scores({0.5f, 0.75f, 1.0f}, 0);
  ck_assert_double_lt(c.normalise(1.0), 0.5);
  ck_assert_double_eq(c.normalise(c.threshold), 0.5);
}
END_TEST

START_TEST(normalized_scores_keep_the_order_and_are_never_clipped) {
  const Calibration c = with(2, 1.5);
  double before = 0;
  for (double score = -1e6; score <= 1e6; score += 997) {
    const double n = c.normalise(score);
    ck_assert_double_gt(n, before);
    ck_assert_double_lt(n, 1);
    before = n;
  }
}
END_TEST

// No spread is no unit: the threshold is taken for one, rather than the distance to the next float.
START_TEST(equal_scores_make_the_threshold_the_unit) {
  const Calibration c = of_scores({4, 4, 4}, 0.01);
  ck_assert_double_eq_tol(c.normalise(c.threshold), 0.5, 1e-15);
  ck_assert_double_eq_tol(c.normalise(8), 0.75, 1e-6);
  ck_assert_double_eq_tol(c.normalise(0), 0.25, 1e-6);
  ck_assert_double_eq_tol(c.normalise(4.004), 0.5 + 0.5 * 0.001 / 1.001, 1e-6);
}
END_TEST

START_TEST(scores_that_are_all_zero_still_give_numbers) {
  const Calibration c = of_scores({0, 0}, 0.01);
  ck_assert_double_lt(c.normalise(0), 0.5);
  ck_assert_double_gt(c.normalise(1), 0.5);
  ck_assert_double_le(c.normalise(1), 1);
}
END_TEST

START_TEST(as_many_maps_as_frames_reach_their_threshold) {
  const Calibration c = of_scores(falling(100), 0.05);
  ck_assert_int_eq(c.false_alarms(), 5);
  ck_assert_double_eq(c.threshold, just_above(95));
  ck_assert_double_eq(c.pixel_threshold, just_above(190));
}
END_TEST

START_TEST(alarms_an_hour_are_those_that_the_rule_of_the_element_makes) {
  // The frame alone starts none; at 8 and below one would be too many.
  const Calibration one = Calibration::from_frames(hour(), {.per_hour = 1}, kHour);
  ck_assert_double_eq(one.threshold, just_above(8));
  ck_assert_int_eq(one.alarms, 1);
  ck_assert_int_eq(one.false_alarms(), 3);
  ck_assert_double_eq(one.hours, 1);
  const Calibration two = Calibration::from_frames(hour(), {.per_hour = 2.9}, kHour);
  ck_assert_double_eq(two.threshold, just_above(6));
  ck_assert_int_eq(two.alarms, 2);
}
END_TEST

START_TEST(where_one_frame_makes_an_alarm_the_lone_one_counts) {
  Video video = kHour;
  video.alarm_frames = 1;
  const Calibration c = Calibration::from_frames(hour(), {.per_hour = 1}, video);
  ck_assert_double_eq(c.threshold, just_above(10));
  ck_assert_int_eq(c.alarms, 1);
}
END_TEST

START_TEST(a_long_stretch_of_high_scores_does_not_pass_for_one_alarm) {
  std::vector<HeldOut> frames = hour();
  for (size_t i = 502; i < 1500; ++i) frames[i].score = 7;
  const Calibration c = Calibration::from_frames(frames, {.per_hour = 2}, kHour);
  ck_assert_double_eq(c.threshold, just_above(7));
  ck_assert_int_eq(c.alarms, 1);  // between 10 and 8 it doesn't end
}
END_TEST

START_TEST(a_video_too_short_for_one_alarm_has_its_threshold_above_every_frame) {
  const Calibration c = Calibration::from_frames(hour(), {.per_hour = 0.99}, kHour);
  ck_assert_double_eq(c.threshold, just_above(20));
  ck_assert_int_eq(c.alarms, 0);
}
END_TEST

START_TEST(alarms_are_counted_where_the_threshold_is_of_a_rate_too) {
  const Calibration c = Calibration::from_frames(hour(), {.rate = 3.0 / 3600}, kHour);
  ck_assert_double_eq(c.threshold, just_above(8));
  ck_assert_int_eq(c.alarms, 1);
  const Calibration untimed = Calibration::from_frames(hour(), {.rate = 3.0 / 3600});
  ck_assert_double_eq(untimed.threshold, c.threshold);
  ck_assert_double_eq(untimed.hours, 0);
  ck_assert_int_eq(untimed.alarms, 0);
}
END_TEST

START_TEST(alarms_an_hour_of_no_known_time_are_refused) {
  assert_refused(ErrorCode::InvalidArgument, {"hour"}, "no time",
                 [] { Calibration::from_frames(hour(), {.per_hour = 1}); });
}
END_TEST

// scipy.stats.beta.ppf(confidence, k + 1, n - k), scipy 1.17.1
START_TEST(the_bound_of_a_rate_is_clopper_and_pearsons) {
  ck_assert_double_eq_tol(rate_bound(0, 1, 0.95), 0.95, 1e-9);
  ck_assert_double_eq_tol(rate_bound(2, 200, 0.95), 0.031142599414083726, 1e-9);
  ck_assert_double_eq_tol(rate_bound(10, 1000, 0.95), 0.016903175120562504, 1e-9);
  ck_assert_double_eq_tol(rate_bound(199, 200, 0.95), 0.9997435664127765, 1e-9);
  ck_assert_double_eq_tol(rate_bound(3, 191, 0.99), 0.05163071550929376, 1e-9);
  ck_assert_double_eq_tol(rate_bound(50000, 1000000, 0.95), 0.05035995136217609, 1e-9);
  ck_assert_double_eq(rate_bound(5, 5), 1);
  ck_assert_double_eq(rate_bound(0, 0), 1);
}
END_TEST

// scipy.stats.chi2.ppf(confidence, 2 k + 2) / 2
START_TEST(the_bound_of_a_count_is_garwoods) {
  ck_assert_double_eq_tol(count_bound(0, 0.95), 2.9957322735539895, 1e-7);
  ck_assert_double_eq_tol(count_bound(1, 0.95), 4.743864518390577, 1e-7);
  ck_assert_double_eq_tol(count_bound(10, 0.95), 16.962219235721903, 1e-7);
  ck_assert_double_eq_tol(count_bound(3, 0.99), 10.045117514831617, 1e-7);
  ck_assert_double_eq_tol(count_bound(1000, 0.95), 1053.6031221333008, 1e-7);
}
END_TEST

int main() {
  Suite* suite = suite_create("calibration");
  TCase* tests = tcase_create("calibration");
  tcase_add_test(tests, the_threshold_is_just_above_the_observation_that_the_rate_leaves);
  tcase_add_test(tests,
                 at_most_the_rate_of_the_scores_reaches_the_threshold_and_no_lower_one_would_do);
  tcase_add_test(tests, scores_and_peaks_are_kept_in_order_and_have_medians_of_their_own);
  tcase_add_test(tests, one_score_is_a_calibration);
  tcase_add_test(tests, without_scores_there_is_no_calibration_and_no_normalized_score);
  tcase_add_test(tests, normalized_scores_are_those_of_the_formula);
  tcase_add_test(tests, the_worst_normal_frame_of_the_calibration_is_below_one_half);
  tcase_add_test(tests, normalized_scores_keep_the_order_and_are_never_clipped);
  tcase_add_test(tests, equal_scores_make_the_threshold_the_unit);
  tcase_add_test(tests, scores_that_are_all_zero_still_give_numbers);
  tcase_add_test(tests, as_many_maps_as_frames_reach_their_threshold);
  suite_add_tcase(suite, tests);
  TCase* alarms = tcase_create("alarms");
  tcase_add_test(alarms, alarms_an_hour_are_those_that_the_rule_of_the_element_makes);
  tcase_add_test(alarms, where_one_frame_makes_an_alarm_the_lone_one_counts);
  tcase_add_test(alarms, a_long_stretch_of_high_scores_does_not_pass_for_one_alarm);
  tcase_add_test(alarms, a_video_too_short_for_one_alarm_has_its_threshold_above_every_frame);
  tcase_add_test(alarms, alarms_are_counted_where_the_threshold_is_of_a_rate_too);
  tcase_add_test(alarms, alarms_an_hour_of_no_known_time_are_refused);
  tcase_add_test(alarms, the_bound_of_a_rate_is_clopper_and_pearsons);
  tcase_add_test(alarms, the_bound_of_a_count_is_garwoods);
  suite_add_tcase(suite, alarms);
  return run_suite(suite);
}
