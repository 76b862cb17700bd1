// SPDX-License-Identifier: LGPL-2.1-or-later
// How an anomaly map meets a mask. Expected values by hand.
#include <ATen/ops/tensor.h>

#include "../check_main.hpp"
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
  count_pixels(half_anomalous(), mask({4, 4}, 2), histogram);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(the_map_comes_to_the_size_of_the_mask_bilinearly) {
  // By 2, a row becomes 1 1 1 .75 .25 0 0 0: four columns are apart from the rest only so.
  PixelHistogram histogram;
  count_pixels(half_anomalous(), mask({8, 12}, 4), histogram);
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

START_TEST(a_mask_is_defective_above_127) {
  PixelHistogram below, above;
  count_pixels(half_anomalous(), mask({4, 4}, 2, 127), below);
  count_pixels(half_anomalous(), mask({4, 4}, 2, 128), above);
  ck_assert(!below.auroc());
  ck_assert(above.auroc().has_value());
}
END_TEST

START_TEST(what_a_crop_left_out_is_not_counted) {
  PixelHistogram histogram;
  count_pixels(cropped(), mask({8, 8}, 2), histogram);  // all of it left of the crop
  ck_assert(!histogram.auroc());
}
END_TEST

START_TEST(a_crop_lies_where_it_was_cut) {
  PixelHistogram histogram;
  count_pixels(cropped(), mask({8, 8}, 4), histogram);  // the crop's left half is columns 2 and 3
  ck_assert_double_eq(*histogram.auroc(), 1);
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("pixels");
  TCase* all = tcase_create("pixels");
  for (const TTest* test :
       {a_whole_region_has_all_pixels, a_pixel_is_inside_where_its_centre_is,
        neighbouring_regions_share_no_pixel, a_map_that_agrees_with_the_mask_is_perfect,
        the_map_comes_to_the_size_of_the_mask_bilinearly, a_mask_is_defective_above_127,
        what_a_crop_left_out_is_not_counted, a_crop_lies_where_it_was_cut})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
