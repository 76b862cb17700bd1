// SPDX-License-Identifier: LGPL-2.1-or-later
// Thresholds as order statistics of normal frames' scores, and the normalized score of the design:
// z = (s - t) / (t - m), n = 0.5 + 0.5 z / (1 + |z|).

#include <cmath>

#include "calibration.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

/// n, n - 1, ... 1.
std::vector<float> falling(int n) {
  std::vector<float> values;
  for (int i = n; i > 0; --i) values.push_back(static_cast<float>(i));
  return values;
}

double just_above(float value) { return std::nextafter(value, INFINITY); }

Calibration with(double threshold, double median) {
  Calibration c = Calibration::from_scores({1}, {1}, 0);
  c.threshold = threshold;
  c.median = median;
  return c;
}

}  // namespace

START_TEST(the_threshold_is_just_above_the_observation_that_the_rate_leaves) {
  const std::vector<std::pair<double, float>> expected{
      {0, 10}, {0.01, 10}, {0.0999, 10}, {0.1, 9}, {0.125, 9}, {0.25, 8}, {0.5, 5}, {0.95, 1}};
  for (const auto& [rate, observation] : expected)
    ck_assert_double_eq(Calibration::from_scores(falling(10), {1}, rate).threshold,
                        just_above(observation));
}
END_TEST

START_TEST(at_most_the_rate_of_the_scores_reaches_the_threshold_and_no_lower_one_would_do) {
  for (const double rate : {0.0, 0.125, 0.25, 0.5, 0.75}) {
    for (int n = 1; n <= 40; ++n) {
      const double threshold = Calibration::from_scores(falling(n), {1}, rate).threshold;
      // n scores 1..n: those from ceil(threshold) on reach it.
      const int reached = n - static_cast<int>(std::ceil(threshold)) + 1;
      ck_assert_double_le(reached, rate * n);
      ck_assert_double_gt(reached + 1, rate * n);
    }
  }
}
END_TEST

START_TEST(scores_and_peaks_are_kept_in_order_and_have_medians_of_their_own) {
  const Calibration c = Calibration::from_scores({3, 1, 2}, {8, 2, 4, 1}, 0.01);
  ck_assert((c.scores == std::vector<float>{1, 2, 3}));
  ck_assert((c.map_peaks == std::vector<float>{1, 2, 4, 8}));
  ck_assert_double_eq(c.median, 2);
  ck_assert_double_eq(c.pixel_median, 3);
  ck_assert_double_eq(c.threshold, just_above(3));
  ck_assert_double_eq(c.pixel_threshold, just_above(8));
}
END_TEST

START_TEST(one_score_is_a_calibration) {
  const Calibration c = Calibration::from_scores({2}, {5}, 0.01);
  ck_assert(c.valid());
  ck_assert_double_eq(c.median, 2);
  ck_assert_double_eq(c.threshold, just_above(2));
}
END_TEST

START_TEST(without_scores_there_is_no_calibration_and_no_normalized_score) {
  ck_assert(!Calibration::from_scores({}, {1}, 0.01).valid());
  ck_assert(!Calibration::from_scores({1}, {}, 0.01).valid());
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
  const Calibration c = Calibration::from_scores({0.5f, 0.75f, 1.0f}, {1}, 0);
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
  const Calibration c = Calibration::from_scores({4, 4, 4}, {1}, 0.01);
  ck_assert_double_eq_tol(c.normalise(c.threshold), 0.5, 1e-15);
  ck_assert_double_eq_tol(c.normalise(8), 0.75, 1e-6);
  ck_assert_double_eq_tol(c.normalise(0), 0.25, 1e-6);
  ck_assert_double_eq_tol(c.normalise(4.004), 0.5 + 0.5 * 0.001 / 1.001, 1e-6);
}
END_TEST

START_TEST(scores_that_are_all_zero_still_give_numbers) {
  const Calibration c = Calibration::from_scores({0, 0}, {0}, 0.01);
  ck_assert_double_lt(c.normalise(0), 0.5);
  ck_assert_double_gt(c.normalise(1), 0.5);
  ck_assert_double_le(c.normalise(1), 1);
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
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
