// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions of maps that are drawn by hand, and of noise against a flood fill.

#include <limits>

#include "regions.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// What a region is in whole pixels; the library's fractions come from these.
struct Box {
  int left, top, right, bottom;  ///< right and bottom: behind the last
  int peak_x, peak_y;
  float peak;
};

void assert_regions(const std::vector<float>& map, Size size, double threshold,
                    const std::vector<Box>& expected) {
  const auto found = find_regions(map, size, threshold);
  ck_assert_uint_eq(found.size(), expected.size());
  const double w = size.width, h = size.height;
  constexpr double kTiny = 1e-12;
  for (size_t i = 0; i < found.size(); ++i) {
    const Region& ours = found[i];
    const Box& box = expected[i];
    ck_assert_double_eq_tol(ours.area.x, box.left / w, kTiny);
    ck_assert_double_eq_tol(ours.area.y, box.top / h, kTiny);
    ck_assert_double_eq_tol(ours.area.width, (box.right - box.left) / w, kTiny);
    ck_assert_double_eq_tol(ours.area.height, (box.bottom - box.top) / h, kTiny);
    ck_assert_double_eq_tol(ours.peak_x, (2 * box.peak_x + 1) / (2 * w), kTiny);
    ck_assert_double_eq_tol(ours.peak_y, (2 * box.peak_y + 1) / (2 * h), kTiny);
    ck_assert_double_eq(ours.peak, static_cast<double>(box.peak));
  }
}

/// Takes the region around a pixel out of the map, pixel by pixel.
void flood(std::vector<float>& map, Size size, double threshold, int x, int y, Box* box) {
  if (x < 0 || y < 0 || x >= size.width || y >= size.height) return;
  const size_t at = static_cast<size_t>(y) * size.width + x;
  const float value = map[at];
  if (!(value >= threshold)) return;
  map[at] = kNaN;
  const bool earlier = y < box->peak_y || (y == box->peak_y && x < box->peak_x);
  if (value > box->peak || (value == box->peak && earlier))
    box->peak = value, box->peak_x = x, box->peak_y = y;
  box->left = std::min(box->left, x), box->right = std::max(box->right, x + 1);
  box->top = std::min(box->top, y), box->bottom = std::max(box->bottom, y + 1);
  for (const int dy : {-1, 0, 1})
    for (const int dx : {-1, 0, 1}) flood(map, size, threshold, x + dx, y + dy, box);
}

std::vector<Box> flooded(std::vector<float> map, Size size, double threshold) {
  std::vector<Box> boxes;
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      Box box{x, y, x, y, x, y, -std::numeric_limits<float>::infinity()};
      flood(map, size, threshold, x, y, &box);
      if (box.right > box.left) boxes.push_back(box);
    }
  std::sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) {
    return std::tuple(-a.peak, a.peak_y, a.peak_x) < std::tuple(-b.peak, b.peak_y, b.peak_x);
  });
  return boxes;
}

}  // namespace

START_TEST(each_region_has_its_box_and_its_peak) {
  assert_regions({0, 0, 0, 0, 0, 0,  //
                  0, 3, 4, 0, 0, 0,  //
                  0, 2, 3, 0, 0, 5,  //
                  0, 0, 0, 0, 0, 2},
                 {6, 4}, 2, {{5, 2, 6, 4, 5, 2, 5}, {1, 1, 3, 3, 2, 1, 4}});
}
END_TEST

START_TEST(pixels_that_touch_at_a_corner_are_one_region) {
  assert_regions({1, 0, 0, 0,  //
                  0, 1, 0, 0,  //
                  1, 0, 0, 2},
                 {4, 3}, 1, {{3, 2, 4, 3, 3, 2, 2}, {0, 0, 2, 3, 0, 0, 1}});
}
END_TEST

START_TEST(a_ring_is_one_region_and_what_it_surrounds_another) {
  assert_regions({2, 2, 2, 2, 2,  //
                  2, 0, 0, 0, 2,  //
                  2, 0, 3, 0, 2,  //
                  2, 0, 0, 0, 2,  //
                  2, 2, 2, 2, 2},
                 {5, 5}, 1, {{2, 2, 3, 3, 2, 2, 3}, {0, 0, 5, 5, 0, 0, 2}});
}
END_TEST

START_TEST(a_value_at_the_threshold_counts_and_the_next_below_does_not) {
  const float below = std::nextafter(2.0f, 0.0f);
  assert_regions({below, 2, below}, {3, 1}, 2, {{1, 0, 2, 1, 1, 0, 2}});
  // No float is 0.1: the nearest one is above it, and as a float the threshold would be that.
  const float above = 0.1f;
  assert_regions({above}, {1, 1}, 0.1, {{0, 0, 1, 1, 0, 0, above}});
  assert_regions({above}, {1, 1}, std::nextafter(double{above}, 1.0), {});
}
END_TEST

START_TEST(of_equal_peaks_the_upper_then_the_left_comes_first) {
  assert_regions(
      {0, 0, 0, 7, 7,  //
       0, 0, 0, 0, 0,  //
       7, 0, 7, 0, 7},
      {5, 3}, 7,
      {{3, 0, 5, 1, 3, 0, 7}, {0, 2, 1, 3, 0, 2, 7}, {2, 2, 3, 3, 2, 2, 7}, {4, 2, 5, 3, 4, 2, 7}});
}
END_TEST

START_TEST(a_map_is_one_region_or_none) {
  const std::vector<float> map{1, 2, 3, 4, 5, 6};
  assert_regions(map, {3, 2}, -1e300, {{0, 0, 3, 2, 2, 1, 6}});
  assert_regions(map, {3, 2}, 6.5, {});
  assert_regions(map, {3, 2}, std::numeric_limits<double>::quiet_NaN(), {});
  assert_regions({}, {0, 0}, 0, {});
}
END_TEST

START_TEST(negative_and_infinite_values_are_ordered_and_nan_is_outside) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  assert_regions({-3, kNaN, kInfinity, kNaN, -1, -2, -kInfinity}, {7, 1}, -3,
                 {{2, 0, 3, 1, 2, 0, kInfinity}, {4, 0, 6, 1, 4, 0, -1}, {0, 0, 1, 1, 0, 0, -3}});
}
END_TEST

START_TEST(regions_of_any_map_are_those_of_a_flood_fill) {
  for (const Size size : {Size{1, 1}, Size{1, 40}, Size{40, 1}, Size{2, 2}, Size{3, 5}, Size{16, 9},
                          Size{57, 33}, Size{64, 64}, Size{100, 70}}) {
    const at::Tensor noisy = float_noise("map", {size.height, size.width});
    // Rounded, so that many peaks are equal.
    for (const at::Tensor& map : {noisy, (noisy * 4).round()})
      for (const double threshold : {-0.9, -0.5, 0.0, 0.3, 0.6, 0.9}) {
        const std::vector<float> values(map.data_ptr<float>(), map.data_ptr<float>() + map.numel());
        assert_regions(values, size, threshold, flooded(values, size, threshold));
      }
  }
}
END_TEST

int main() {
  Suite* suite = suite_create("regions");
  TCase* tests = tcase_create("regions");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, each_region_has_its_box_and_its_peak);
  tcase_add_test(tests, pixels_that_touch_at_a_corner_are_one_region);
  tcase_add_test(tests, a_ring_is_one_region_and_what_it_surrounds_another);
  tcase_add_test(tests, a_value_at_the_threshold_counts_and_the_next_below_does_not);
  tcase_add_test(tests, of_equal_peaks_the_upper_then_the_left_comes_first);
  tcase_add_test(tests, a_map_is_one_region_or_none);
  tcase_add_test(tests, negative_and_infinite_values_are_ordered_and_nan_is_outside);
  tcase_add_test(tests, regions_of_any_map_are_those_of_a_flood_fill);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
