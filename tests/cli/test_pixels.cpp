// SPDX-License-Identifier: LGPL-2.1-or-later
// How an anomaly map meets a mask. Expected values by hand.
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "../check_main.hpp"
#include "error.hpp"
#include "pixels.hpp"

using namespace patchcore;
using namespace patchcore::cli;

namespace {

const ImageFile kFile{"a.png", "a.png"};

/// An image of 4 x 4 whose map is 1 in its left half and 0 in its right one.
Processed half_anomalous() {
  Result result;
  result.map = at::tensor({1.f, 1.f, 0.f, 0.f}).expand({4, 4}).contiguous();
  return {kFile, {4, 4}, {{4, 4}, {4, 4}, 0, 0, {0, 0, 1, 1}}, result};
}

/// An image of 8 x 8 of which the centred 4 x 4 are kept, with the same map.
Processed cropped() {
  return {kFile, {8, 8}, {{8, 8}, {4, 4}, 2, 2, {0.25, 0.25, 0.5, 0.5}}, half_anomalous().result};
}

/// Left columns defective.
cv::Mat mask(cv::Size size, int columns, int value = 255) {
  cv::Mat mask(size, CV_8U, cv::Scalar(0));
  mask.colRange(0, columns).setTo(value);
  return mask;
}

/// Counts what is compared at the mask's size.
void count(const Processed& image, const cv::Mat& mask, PixelHistogram& histogram) {
  const Preprocess unused(Settings(), 16);
  count_pixels(compare_pixels(image, mask, unused, PixelGeometry::Mask), histogram);
}

START_TEST(a_whole_region_has_all_pixels) {
  ck_assert(pixels_inside({0, 0, 1, 1}, {7, 5}) == cv::Rect(0, 0, 7, 5));
}
END_TEST

START_TEST(a_pixel_is_inside_where_its_centre_is) {
  // 224 of 256 in 300 pixels: 18.75 to 281.25, so centres 19.5 to 280.5.
  const double left = 16 / 256.0, side = 224 / 256.0;
  ck_assert(pixels_inside({left, left, side, side}, {300, 300}) == cv::Rect(19, 19, 262, 262));
}
END_TEST

START_TEST(neighbouring_regions_share_no_pixel) {
  const cv::Rect a = pixels_inside({0, 0, 0.5, 1}, {3, 1});
  const cv::Rect b = pixels_inside({0.5, 0, 0.5, 1}, {3, 1});
  ck_assert_int_eq(a.width + b.width, 3);
  ck_assert_int_eq(b.x, a.x + a.width);
}
END_TEST

START_TEST(a_map_that_agrees_with_the_mask_is_perfect) {
  PixelHistogram histogram;
  count(half_anomalous(), mask({4, 4}, 2), histogram);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(the_map_comes_to_the_size_of_the_mask_bilinearly) {
  // By 2, a row becomes 1 1 1 .75 .25 0 0 0: four columns are apart from the rest only so.
  PixelHistogram histogram;
  count(half_anomalous(), mask({8, 12}, 4), histogram);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(a_mask_is_defective_above_127) {
  PixelHistogram below, above;
  count(half_anomalous(), mask({4, 4}, 2, 127), below);
  count(half_anomalous(), mask({4, 4}, 2, 128), above);
  ck_assert(!below.auroc());
  ck_assert(above.auroc().has_value());
}
END_TEST

START_TEST(what_a_crop_left_out_is_not_counted) {
  PixelHistogram histogram;
  count(cropped(), mask({8, 8}, 2), histogram);  // all of it left of the crop
  ck_assert(!histogram.auroc());
}
END_TEST

START_TEST(a_crop_lies_where_it_was_cut) {
  PixelHistogram histogram;
  count(cropped(), mask({8, 8}, 4), histogram);  // the crop's left half is columns 2 and 3
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(without_a_mask_all_pixels_are_good) {
  PixelHistogram histogram;
  count(half_anomalous(), {}, histogram);
  ck_assert(!histogram.auroc());
  histogram.add_defective(2, 1);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

// The number of regions shows in the overlap: one of n regions above all good pixels gives 1 / n.
// `kept`: the pixels of the region that is; all others have the value 0.
double overlap(const cv::Mat& mask, const std::vector<cv::Point>& kept, const Processed& like) {
  Processed image = like;
  image.result.map = at::zeros({like.geometry.input.height, like.geometry.input.width});
  cv::Mat map = input_map(image);
  for (const cv::Point& pixel : kept) map.at<float>(pixel) = 1;
  PixelHistogram histogram;
  count(image, mask, histogram);
  // From (0, o) the curve goes straight to (1, 1): up to 0.3 its mean is o + (1 - o) * 0.15.
  return (*histogram.aupro() - 0.15) / 0.85;
}

START_TEST(pixels_that_touch_at_a_corner_are_one_region) {
  cv::Mat mask(4, 4, CV_8U, cv::Scalar(0));
  mask.at<uchar>(0, 0) = mask.at<uchar>(1, 1) = 255;
  mask.at<uchar>(3, 3) = 255;
  ck_assert_double_eq_tol(overlap(mask, {{3, 3}}, half_anomalous()), 1 / 2.0, 1e-12);
  ck_assert_double_eq_tol(overlap(mask, {{0, 0}}, half_anomalous()), 1 / 4.0, 1e-12);
}
END_TEST

START_TEST(a_region_outside_the_crop_is_none) {
  cv::Mat mask(8, 8, CV_8U, cv::Scalar(0));
  mask.at<uchar>(0, 0) = 255;
  mask.at<uchar>(3, 3) = 255;
  ck_assert_double_eq_tol(overlap(mask, {{1, 1}}, cropped()), 1, 1e-12);
}
END_TEST

START_TEST(of_a_region_that_a_crop_cuts_the_inside_counts) {
  cv::Mat mask(8, 8, CV_8U, cv::Scalar(0));
  mask(cv::Rect(0, 3, 4, 1)).setTo(255);  // columns 2 and 3 are inside
  ck_assert_double_eq_tol(overlap(mask, {{0, 1}}, cropped()), 1 / 2.0, 1e-12);
}
END_TEST

START_TEST(a_crop_does_not_part_a_region) {
  cv::Mat mask(8, 8, CV_8U, cv::Scalar(0));
  mask(cv::Rect(2, 0, 1, 4)).setTo(255);  // two bars that meet above the crop
  mask(cv::Rect(5, 0, 1, 3)).setTo(255);
  mask(cv::Rect(2, 0, 4, 1)).setTo(255);
  ck_assert_double_eq_tol(overlap(mask, {{0, 0}}, cropped()), 1 / 3.0, 1e-12);
}
END_TEST

// The same maps and masks in numpy, through compute_pro and trapezoid of MVTec AD's evaluation
// code.
START_TEST(aupro_is_that_of_mvtecs_evaluation_code) {
  constexpr int kWidth = 12, kHeight = 10;
  PixelHistogram histogram;
  for (int i = 0; i < 3; ++i) {
    cv::Mat mask(kHeight, kWidth, CV_8U, cv::Scalar(0));
    if (i == 1) mask(cv::Rect(1, 1, 3, 3)).setTo(255);
    if (i == 1) mask.at<uchar>(4, 4) = 255;
    if (i == 2) mask(cv::Rect(7, 5, 3, 4)).setTo(255);
    if (i == 2) mask.at<uchar>(0, 0) = 255;
    Processed image{kFile, {kWidth, kHeight}, {{kWidth, kHeight}, {kWidth, kHeight}, 0, 0, {}}, {}};
    image.result.map = at::zeros({kHeight, kWidth});
    cv::Mat map = input_map(image);
    for (int p = 0; p < kWidth * kHeight; ++p)
      map.at<float>(p / kWidth, p % kWidth) =
          static_cast<float>((i * kWidth * kHeight + p) * 37 % 101) / 8 +
          (mask.at<uchar>(p / kWidth, p % kWidth) ? 4.f : 0.f);
    count(image, mask, histogram);
  }
  ck_assert_double_eq_tol(*histogram.aupro(), 0.6324101549620837, 1e-12);
  ck_assert_double_eq_tol(*histogram.aupro(0.05), 0.5320804484009232, 1e-12);
  ck_assert_double_eq_tol(*histogram.aupro(1), 0.8329376854599407, 1e-12);
  ck_assert_double_eq_tol(*histogram.auroc(), 0.7628047993807251, 1e-12);  // roc_auc_score
}
END_TEST

/// An image of 32 x 32 that is resized to 16 x 16, its map 1 where the mask is not fully good.
Processed halved() {
  Result result;
  result.map = at::zeros({16, 16});
  return {kFile, {32, 32}, {{16, 16}, {16, 16}, 0, 0, {}}, result};
}

Settings halving() {
  Settings settings;
  settings.resize = {16, 16};
  return settings;
}

START_TEST(an_official_mask_is_resized_and_what_is_not_white_is_good) {
  // Pillow's bilinear filter reaches over two of the mask's pixels on either side: of the columns
  // 0 to 15 that are white, 0 to 6 of the small mask stay so, and 7 becomes 223 as Pillow has it.
  const auto pixels = compare_pixels(halved(), mask({32, 32}, 16), Preprocess(halving(), 16),
                                     PixelGeometry::Official);
  ck_assert_int_eq(pixels.values.cols, 16);
  ck_assert_int_eq(pixels.count, 1);
  ck_assert_int_eq(cv::countNonZero(pixels.regions.row(8)), 7);
}
END_TEST

START_TEST(an_official_mask_of_another_shape_is_refused) {
  Settings settings;
  settings.resize = {16, 0};  // the shorter side
  Processed image = halved();
  try {
    compare_pixels(image, mask({64, 32}, 16), Preprocess(settings, 16), PixelGeometry::Official);
    ck_abort_msg("not refused");
  } catch (const Error& error) {
    ck_assert(std::string(error.what()).find("a.png") != std::string::npos);
  }
}
END_TEST

// Of 4 x 4 pixels the left two columns have a map of 1, three are defective: the third is a miss
// unless a mask leaves it out.
START_TEST(what_a_mask_leaves_out_is_not_compared) {
  cv::Mat1b looked_at(4, 4, uchar{255});
  looked_at.col(2).setTo(0);
  const auto counting = std::make_shared<const Mask>(looked_at, MaskKind::Focus);
  const Preprocess as_it_is(Settings(), 16);
  const auto auroc = [&](const MaskPtr& mask_of_view) {
    PixelHistogram histogram;
    count_pixels(compare_pixels(half_anomalous(), mask({4, 4}, 3), as_it_is, PixelGeometry::Mask,
                                mask_of_view),
                 histogram);
    return *histogram.auroc();
  };
  ck_assert_double_lt(auroc(nullptr), 1);
  ck_assert_double_eq(auroc(counting), 1);
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("pixels");
  TCase* all = tcase_create("pixels");
  for (const TTest* test :
       {a_whole_region_has_all_pixels, a_pixel_is_inside_where_its_centre_is,
        neighbouring_regions_share_no_pixel, a_map_that_agrees_with_the_mask_is_perfect,
        the_map_comes_to_the_size_of_the_mask_bilinearly, a_mask_is_defective_above_127,
        what_a_crop_left_out_is_not_counted, a_crop_lies_where_it_was_cut,
        without_a_mask_all_pixels_are_good, pixels_that_touch_at_a_corner_are_one_region,
        a_region_outside_the_crop_is_none, of_a_region_that_a_crop_cuts_the_inside_counts,
        a_crop_does_not_part_a_region, aupro_is_that_of_mvtecs_evaluation_code,
        an_official_mask_is_resized_and_what_is_not_white_is_good,
        an_official_mask_of_another_shape_is_refused, what_a_mask_leaves_out_is_not_compared})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
