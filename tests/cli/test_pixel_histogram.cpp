// SPDX-License-Identifier: LGPL-2.1-or-later
// Expected values: scikit-learn's roc_auc_score, compute_pro and trapezoid of MVTec AD's evaluation
// code, or by hand where they are 0, 1/2 or 1.
#include <cmath>
#include <vector>

#include "../check_main.hpp"
#include "pixel_histogram.hpp"

using patchcore::cli::PixelHistogram;

namespace {

constexpr double kTolerance = 1e-12;

void add(PixelHistogram& histogram, float value, bool defective) {
  defective ? histogram.add_defective(value, 1) : histogram.add_good(value);
}

// 1000 values, 101 of them different; scikit-learn got the same ones from numpy.
constexpr double kSampleAuroc = 0.7157486835534259;

void add_sample(PixelHistogram& histogram, int first, int last) {
  for (int i = first; i < last; ++i) {
    const float value = static_cast<float>(i * 37 % 101) / 8;
    add(histogram, value, (i * i + static_cast<int>(value)) % 7 == 0 || value > 11.5f);
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
    histogram.add_good(value);
    histogram.add_defective(value * 1.001f, 1);
    ck_assert_double_eq(*histogram.auroc(), 1);
  }
}
END_TEST

START_TEST(pixels_in_one_bin_are_a_tie) {
  PixelHistogram histogram;
  histogram.add_good(1.0f);
  histogram.add_defective(std::nextafter(1.0f, 2.0f), 1);
  ck_assert_double_eq(*histogram.auroc(), 0.5);
}
END_TEST

START_TEST(zero_is_below_every_positive_value) {
  PixelHistogram histogram;
  histogram.add_good(-0.0f);
  histogram.add_good(0.0f);
  histogram.add_defective(1e-38f, 1);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(values_that_no_map_has_count_as_zero) {
  PixelHistogram histogram;
  histogram.add_good(-5.0f);
  histogram.add_defective(std::nanf(""), 1);
  ck_assert_double_eq(*histogram.auroc(), 0.5);
}
END_TEST

START_TEST(infinity_is_above_every_number) {
  PixelHistogram histogram;
  histogram.add_good(3.4e38f);
  histogram.add_defective(INFINITY, 1);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(pixel_auroc_needs_both_kinds) {
  PixelHistogram histogram;
  ck_assert(!histogram.auroc());
  histogram.add_good(1);
  ck_assert(!histogram.auroc());
}
END_TEST

/// A region, each of whose pixels has one of the values.
void add_region(PixelHistogram& histogram, const std::vector<float>& values) {
  for (const float value : values)
    histogram.add_defective(value, 1 / static_cast<double>(values.size()));
}

void add_good(PixelHistogram& histogram, const std::vector<float>& values) {
  for (const float value : values) histogram.add_good(value);
}

START_TEST(a_small_region_weighs_as_much_as_a_large_one) {
  // The single pixel is found before any good one, the four after all of them.
  PixelHistogram histogram;
  add_region(histogram, {9});
  add_region(histogram, {1, 1, 1, 1});
  add_good(histogram, {2, 3, 4, 5});
  ck_assert_double_eq_tol(*histogram.aupro(), 0.5, kTolerance);
}
END_TEST

START_TEST(regions_above_all_good_pixels_overlap_wholly) {
  PixelHistogram histogram;
  add_region(histogram, {5, 6});
  add_good(histogram, {1, 2, 3});
  ck_assert_double_eq_tol(*histogram.aupro(), 1, kTolerance);
}
END_TEST

START_TEST(the_overlap_is_interpolated_at_the_limit) {
  // From (0, 0) straight to (1/2, 1): at 0.3 the overlap is 0.6, the area under it 0.09.
  PixelHistogram histogram;
  add_region(histogram, {5});
  add_good(histogram, {5, 1});
  ck_assert_double_eq_tol(*histogram.aupro(), 0.3, kTolerance);
}
END_TEST

START_TEST(a_rate_that_is_the_limit_needs_no_interpolation) {
  // Up to 1/4 no region is found, from there on one of two.
  PixelHistogram histogram;
  add_good(histogram, {9, 1, 1, 1});
  add_region(histogram, {5});
  add_region(histogram, {0});
  ck_assert_double_eq_tol(*histogram.aupro(0.25), 0, kTolerance);
  ck_assert_double_eq_tol(*histogram.aupro(0.5), 0.25 * 0.5 / 0.5, kTolerance);
}
END_TEST

START_TEST(up_to_a_rate_of_one_the_whole_area_counts) {
  PixelHistogram histogram;
  add_good(histogram, {1, 3});
  add_region(histogram, {2});
  ck_assert_double_eq_tol(*histogram.aupro(1), 0.5, kTolerance);
}
END_TEST

START_TEST(aupro_needs_both_kinds) {
  PixelHistogram good, defective;
  ck_assert(!good.aupro());
  add_good(good, {1, 2});
  add_region(defective, {1, 2});
  ck_assert(!good.aupro());
  ck_assert(!defective.aupro());
}
END_TEST

START_TEST(overlaps_add_up_too) {
  PixelHistogram whole, first, second;
  add_region(whole, {9});
  add_region(first, {9});
  add_region(whole, {1, 4});
  add_region(second, {1, 4});
  for (PixelHistogram* histogram : {&whole, &second}) add_good(*histogram, {2, 3, 4, 5});
  first.add(second);
  ck_assert_double_eq(*first.aupro(), *whole.aupro());
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("pixel-histogram");
  TCase* all = tcase_create("pixel-histogram");
  for (const TTest* test :
       {pixel_auroc_is_exact_where_values_lie_in_bins_of_their_own, histograms_add_up,
        pixel_bins_are_finer_than_a_thousandth, pixels_in_one_bin_are_a_tie,
        zero_is_below_every_positive_value, values_that_no_map_has_count_as_zero,
        infinity_is_above_every_number, pixel_auroc_needs_both_kinds,
        a_small_region_weighs_as_much_as_a_large_one, regions_above_all_good_pixels_overlap_wholly,
        the_overlap_is_interpolated_at_the_limit, a_rate_that_is_the_limit_needs_no_interpolation,
        up_to_a_rate_of_one_the_whole_area_counts, aupro_needs_both_kinds, overlaps_add_up_too})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
