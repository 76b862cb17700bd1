// SPDX-License-Identifier: LGPL-2.1-or-later
// Expected values: scikit-learn (roc_auc_score, average_precision_score, the largest F1 over
// precision_recall_curve), or by hand where they are 0, 1/2 or 1.
#include <cmath>
#include <vector>

#include "../check_main.hpp"
#include "metrics.hpp"

using patchcore::cli::image_metrics;
using patchcore::cli::ImageMetrics;
using patchcore::cli::PixelHistogram;

namespace {

constexpr double kTolerance = 1e-12;

ImageMetrics with_ties() {
  const std::vector<double> good{0.1, 0.4, 0.35, 0.8, 0.4};
  const std::vector<double> defective{0.4, 0.9, 0.65, 0.35, 0.8, 1.2};
  return image_metrics(good, defective);
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
  const ImageMetrics metrics = image_metrics(good, defective);
  ck_assert_double_eq_tol(*metrics.auroc, 0.5, kTolerance);
  ck_assert_double_eq_tol(*metrics.average_precision, 0.4, kTolerance);
  ck_assert_double_eq_tol(*metrics.best_f1, 0.5714285714285715, kTolerance);
}
END_TEST

START_TEST(separated_scores_are_perfect) {
  const std::vector<double> good{0, 1}, defective{1.5, 7};
  const ImageMetrics metrics = image_metrics(good, defective);
  ck_assert_double_eq(*metrics.auroc, 1);
  ck_assert_double_eq(*metrics.average_precision, 1);
  ck_assert_double_eq(*metrics.best_f1, 1);
}
END_TEST

START_TEST(reversed_scores_have_no_area) {
  const std::vector<double> good{5, 6}, defective{1};
  ck_assert_double_eq(*image_metrics(good, defective).auroc, 0);
}
END_TEST

START_TEST(image_metrics_need_good_images) {
  const ImageMetrics metrics = image_metrics({}, std::vector<double>{1});
  ck_assert(!metrics.auroc && !metrics.average_precision && !metrics.best_f1);
}
END_TEST

START_TEST(image_metrics_need_defects) {
  const ImageMetrics metrics = image_metrics(std::vector<double>{1}, {});
  ck_assert(!metrics.auroc && !metrics.average_precision && !metrics.best_f1);
}
END_TEST

// 1000 values, 101 of them different; scikit-learn got the same ones from numpy.
constexpr double kSampleAuroc = 0.7157486835534259;

void add_sample(PixelHistogram& histogram, int first, int last) {
  for (int i = first; i < last; ++i) {
    const float value = static_cast<float>(i * 37 % 101) / 8;
    histogram.add(value, (i * i + static_cast<int>(value)) % 7 == 0 || value > 11.5f);
  }
}

START_TEST(pixel_auroc_is_exact_where_values_lie_in_bins_of_their_own) {
  PixelHistogram histogram;
  add_sample(histogram, 0, 1000);
  ck_assert_double_eq_tol(*histogram.auroc(), kSampleAuroc, kTolerance);
}
END_TEST

START_TEST(histograms_add_up) {
  PixelHistogram first, second;
  add_sample(first, 0, 300);
  add_sample(second, 300, 1000);
  first.add(second);
  ck_assert_double_eq_tol(*first.auroc(), kSampleAuroc, kTolerance);
}
END_TEST

START_TEST(pixel_bins_are_finer_than_a_thousandth) {
  for (const float value : {1e-30f, 0.003f, 1.0f, 12345.0f}) {
    PixelHistogram histogram;
    histogram.add(value, false);
    histogram.add(value * 1.001f, true);
    ck_assert_double_eq(*histogram.auroc(), 1);
  }
}
END_TEST

START_TEST(pixels_in_one_bin_are_a_tie) {
  PixelHistogram histogram;
  histogram.add(1.0f, false);
  histogram.add(std::nextafter(1.0f, 2.0f), true);
  ck_assert_double_eq(*histogram.auroc(), 0.5);
}
END_TEST

START_TEST(zero_is_below_every_positive_value) {
  PixelHistogram histogram;
  histogram.add(-0.0f, false);
  histogram.add(0.0f, false);
  histogram.add(1e-38f, true);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(values_that_no_map_has_count_as_zero) {
  PixelHistogram histogram;
  histogram.add(-5.0f, false);
  histogram.add(std::nanf(""), true);
  ck_assert_double_eq(*histogram.auroc(), 0.5);
}
END_TEST

START_TEST(infinity_is_above_every_number) {
  PixelHistogram histogram;
  histogram.add(3.4e38f, false);
  histogram.add(INFINITY, true);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(pixel_auroc_needs_both_kinds) {
  PixelHistogram histogram;
  ck_assert(!histogram.auroc());
  histogram.add(1, false);
  ck_assert(!histogram.auroc());
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("metrics");
  TCase* all = tcase_create("metrics");
  for (const TTest* test :
       {image_auroc_counts_ties_half, average_precision_takes_ties_together,
        f1_is_that_of_the_best_threshold, scores_that_are_all_equal_tell_nothing,
        separated_scores_are_perfect, reversed_scores_have_no_area, image_metrics_need_good_images,
        image_metrics_need_defects, pixel_auroc_is_exact_where_values_lie_in_bins_of_their_own,
        histograms_add_up, pixel_bins_are_finer_than_a_thousandth, pixels_in_one_bin_are_a_tie,
        zero_is_below_every_positive_value, values_that_no_map_has_count_as_zero,
        infinity_is_above_every_number, pixel_auroc_needs_both_kinds})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
