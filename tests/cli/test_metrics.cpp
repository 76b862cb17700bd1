// SPDX-License-Identifier: LGPL-2.1-or-later
// Expected values: scikit-learn (roc_auc_score, average_precision_score, f1_score, the largest F1
// over precision_recall_curve), or by hand where they are 0, 1/2 or 1.
#include <vector>

#include "../check_main.hpp"
#include "metrics.hpp"

using namespace patchcore::cli;

namespace {

constexpr double kTolerance = 1e-12;

ImageMetrics measure(const std::vector<double>& good, const std::vector<double>& defective,
                     std::optional<double> threshold = {}) {
  return image_metrics(score_levels(good, defective), threshold);
}

const std::vector<double> kGood{0.1, 0.4, 0.35, 0.8, 0.4};
const std::vector<double> kDefective{0.4, 0.9, 0.65, 0.35, 0.8, 1.2};

ImageMetrics with_ties(std::optional<double> threshold = {}) {
  return measure(kGood, kDefective, threshold);
}

START_TEST(image_auroc_counts_ties_half) {
  ck_assert_double_eq_tol(*with_ties().auroc, 0.7666666666666666, kTolerance);
}
END_TEST

START_TEST(average_precision_takes_ties_together) {
  ck_assert_double_eq_tol(*with_ties().average_precision, 0.7958333333333333, kTolerance);
}
END_TEST

START_TEST(f1_is_that_of_the_best_threshold) {
  ck_assert_double_eq_tol(*with_ties().best_f1, 0.75, kTolerance);
}
END_TEST

START_TEST(scores_that_are_all_equal_tell_nothing) {
  const std::vector<double> good{3, 3, 3}, defective{3, 3};
  const ImageMetrics metrics = measure(good, defective);
  ck_assert_double_eq_tol(*metrics.auroc, 0.5, kTolerance);
  ck_assert_double_eq_tol(*metrics.average_precision, 0.4, kTolerance);
  ck_assert_double_eq_tol(*metrics.best_f1, 0.5714285714285715, kTolerance);
}
END_TEST

START_TEST(separated_scores_are_perfect) {
  const std::vector<double> good{0, 1}, defective{1.5, 7};
  const ImageMetrics metrics = measure(good, defective);
  ck_assert_double_eq(*metrics.auroc, 1);
  ck_assert_double_eq(*metrics.average_precision, 1);
  ck_assert_double_eq(*metrics.best_f1, 1);
}
END_TEST

START_TEST(reversed_scores_have_no_area) {
  const std::vector<double> good{5, 6}, defective{1};
  ck_assert_double_eq(*measure(good, defective).auroc, 0);
}
END_TEST

START_TEST(image_metrics_need_good_images) {
  const ImageMetrics metrics = measure({}, {1});
  ck_assert(!metrics.auroc && !metrics.average_precision && !metrics.best_f1);
}
END_TEST

START_TEST(image_metrics_need_defects) {
  const ImageMetrics metrics = measure({1}, {});
  ck_assert(!metrics.auroc && !metrics.average_precision && !metrics.best_f1);
}
END_TEST

START_TEST(calibrated_f1_is_that_of_the_given_threshold) {
  ck_assert_double_eq_tol(*with_ties(0.65).calibrated_f1, 0.7272727272727273, kTolerance);
  ck_assert_double_eq_tol(*with_ties(0.5).calibrated_f1, 0.7272727272727273, kTolerance);
}
END_TEST

START_TEST(a_score_at_the_threshold_counts_as_defective) {
  ck_assert_double_eq_tol(*with_ties(0.4).calibrated_f1, 0.7142857142857143, kTolerance);
}
END_TEST

START_TEST(calibrated_f1_above_all_scores_is_zero) {
  ck_assert_double_eq(*with_ties(2).calibrated_f1, 0);
}
END_TEST

START_TEST(calibrated_f1_needs_a_threshold) { ck_assert(!with_ties().calibrated_f1); }
END_TEST

START_TEST(a_level_that_nobody_has_changes_nothing) {
  std::vector<Level> levels = score_levels(kGood, kDefective);
  levels.insert(levels.begin(), {9, 0, 0});
  levels.push_back({0, 0, 0});
  const ImageMetrics metrics = image_metrics(levels);
  ck_assert_double_eq(*metrics.auroc, *with_ties().auroc);
  ck_assert_double_eq(*metrics.average_precision, *with_ties().average_precision);
  ck_assert_double_eq(*metrics.best_f1, *with_ties().best_f1);
}
END_TEST

START_TEST(curves_have_a_point_a_level) {
  const auto points = curve(score_levels(kGood, kDefective));
  ck_assert_uint_eq(points.size(), 7);
  // At 0.8: of five good ones one is above, of six defective ones three.
  ck_assert_double_eq_tol(points[2].false_positive_rate, 1 / 5.0, kTolerance);
  ck_assert_double_eq_tol(points[2].recall, 3 / 6.0, kTolerance);
  ck_assert_double_eq_tol(points[2].precision, 3 / 4.0, kTolerance);
  ck_assert_double_eq(points[6].false_positive_rate, 1);
  ck_assert_double_eq(points[6].recall, 1);
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("metrics");
  TCase* all = tcase_create("metrics");
  for (const TTest* test :
       {image_auroc_counts_ties_half, average_precision_takes_ties_together,
        f1_is_that_of_the_best_threshold, scores_that_are_all_equal_tell_nothing,
        separated_scores_are_perfect, reversed_scores_have_no_area, image_metrics_need_good_images,
        image_metrics_need_defects, calibrated_f1_is_that_of_the_given_threshold,
        a_score_at_the_threshold_counts_as_defective, calibrated_f1_above_all_scores_is_zero,
        calibrated_f1_needs_a_threshold, a_level_that_nobody_has_changes_nothing,
        curves_have_a_point_a_level})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
