// SPDX-License-Identifier: LGPL-2.1-or-later
// From a map to regions of the frame, and from these to metadata. GstAnalytics: tests/analytics.

#include <gst/video/video.h>

#include <cmath>
#include <memory>

#include "../../gst-plugin/regions.hpp"
#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

PatchcoreBankInfo calibrated(double pixel_threshold, double pixel_median) {
  PatchcoreBankInfo bank{};
  bank.calibrated = TRUE;
  bank.pixel_threshold = pixel_threshold;
  bank.pixel_median = pixel_median;
  return bank;
}

/// A map as libpatchcore gives it, of zeros.
struct Map {
  Map(guint width, guint height) : width(width), values(width * height) {}

  std::vector<AnomalyRegion> find(const Region& input, const PatchcoreBankInfo& bank) const {
    char* reason = nullptr;
    ck_assert_msg(open_library(&reason), "%s", reason);
    PatchcoreResult result{};
    result.map = g_bytes_new_static(values.data(), values.size() * sizeof(gfloat));
    result.map_width = width;
    result.map_height = static_cast<guint>(values.size() / width);
    auto regions = find_regions(result, input, 2, bank);
    g_bytes_unref(result.map);
    return regions;
  }

  gfloat& at(guint x, guint y) { return values[y * width + x]; }

  guint width;
  std::vector<gfloat> values;
};

double normalized_peak(gfloat peak, const PatchcoreBankInfo& bank) {
  Map map(2, 2);
  map.at(0, 0) = peak;
  return map.find({}, bank).at(0).normalized_peak;
}

struct UnrefBuffer {
  void operator()(GstBuffer* b) const { gst_buffer_unref(b); }
};

/// Regions on a buffer of a frame of 320 x 180, and what it carries then.
struct Attached {
  explicit Attached(const std::vector<AnomalyRegion>& regions, RegionMeta kind = RegionMeta::Roi)
      : buffer(gst_buffer_new()) {
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", 1, 2, 3, 4);
    ok = attach_regions(buffer.get(), regions, 320, 180, 5, kind);
    gpointer state = nullptr;
    while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
               buffer.get(), &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))
      rois.push_back(reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta));
  }

  std::unique_ptr<GstBuffer, UnrefBuffer> buffer;
  std::vector<GstVideoRegionOfInterestMeta*> rois;
  bool ok;
};

void check_box(const GstVideoRegionOfInterestMeta* roi, guint x, guint y, guint w, guint h) {
  ck_assert_uint_eq(roi->x, x);
  ck_assert_uint_eq(roi->y, y);
  ck_assert_uint_eq(roi->w, w);
  ck_assert_uint_eq(roi->h, h);
}

double number(const GstStructure* structure, const char* field) {
  double value = 0;
  ck_assert_msg(gst_structure_get_double(structure, field, &value), "no %s", field);
  return value;
}

}  // namespace

START_TEST(regions_are_places_in_the_frame_also_where_the_input_is_a_part_of_it) {
  Map map(8, 4);
  map.at(2, 1) = 2.5f;
  map.at(3, 1) = 3;
  const auto regions = map.find({.x = 0.25, .y = 0, .w = 0.5, .h = 1}, calibrated(2, 1));
  ck_assert_uint_eq(regions.size(), 1);
  // Columns 2 and 3 of 8 in the middle half of the frame, row 1 of 4.
  ck_assert_double_eq(regions[0].x, 0.25 + 0.5 * 2 / 8);
  ck_assert_double_eq(regions[0].w, 0.5 * 2 / 8);
  ck_assert_double_eq(regions[0].y, 0.25);
  ck_assert_double_eq(regions[0].h, 0.25);
  ck_assert_double_eq(regions[0].peak, 3);
  ck_assert_double_eq(regions[0].peak_x, 0.25 + 0.5 * 3.5 / 8);
  ck_assert_double_eq(regions[0].peak_y, 1.5 / 4);
}
END_TEST

START_TEST(a_peak_is_normalized_as_a_score_is_with_the_pixel_threshold) {
  // The guide's formula: z = (peak - 2) / (2 - 1), 0.5 + 0.5 z / (1 + |z|).
  ck_assert_double_eq(normalized_peak(2, calibrated(2, 1)), 0.5);
  ck_assert_double_eq(normalized_peak(3, calibrated(2, 1)), 0.75);
  ck_assert_double_eq(normalized_peak(5, calibrated(2, 1)), 0.875);
  // Normal frames that are all alike leave no unit: the threshold is one.
  ck_assert_double_eq(normalized_peak(4, calibrated(2, 2)), 0.75);
  ck_assert(std::isnan(normalized_peak(3, {})));
}
END_TEST

START_TEST(a_map_below_the_threshold_has_no_region) {
  Map map(4, 4);
  map.at(1, 1) = 1.99f;
  ck_assert(map.find({}, calibrated(2, 1)).empty());
}
END_TEST

START_TEST(there_are_at_most_64_regions_the_worst_ones) {
  Map map(20, 20);
  for (guint i = 0; i < 100; ++i) map.at(i % 10 * 2, i / 10 * 2) = static_cast<gfloat>(3 + i);
  const auto regions = map.find({}, calibrated(2, 1));
  ck_assert_uint_eq(regions.size(), 64);
  for (guint i = 0; i < 64; ++i) ck_assert_double_eq(regions[i].peak, 102 - i);
}
END_TEST

START_TEST(a_region_of_interest_says_where_and_how_bad) {
  const Attached frame({{.x = 0.25,
                         .y = 0.5,
                         .w = 0.125,
                         .h = 0.1,
                         .peak = 3,
                         .normalized_peak = 0.75,
                         .peak_x = 0.3,
                         .peak_y = 0.55}});
  ck_assert(frame.ok);
  ck_assert_uint_eq(frame.rois.size(), 2);
  const GstVideoRegionOfInterestMeta* roi = frame.rois[1];
  assert_text(g_quark_to_string(roi->roi_type), "anomaly");
  check_box(roi, 80, 90, 40, 18);
  const GstStructure* param =
      gst_video_region_of_interest_meta_get_param(frame.rois[1], "patchcore-region");
  ck_assert_ptr_nonnull(param);
  guint result = 0;
  ck_assert(gst_structure_get_uint(param, "result", &result));
  ck_assert_uint_eq(result, 5);
  ck_assert_double_eq(number(param, "score"), 3);
  ck_assert_double_eq(number(param, "normalized-score"), 0.75);
  ck_assert_double_eq(number(param, "peak-x"), 0.3);
  ck_assert_double_eq(number(param, "peak-y"), 0.55);
}
END_TEST

START_TEST(without_a_calibration_a_region_of_interest_has_no_normalized_score) {
  const Attached frame({{.w = 1, .h = 1, .normalized_peak = std::nan("")}});
  const GstStructure* param =
      gst_video_region_of_interest_meta_get_param(frame.rois.at(1), "patchcore-region");
  ck_assert(!gst_structure_has_field(param, "normalized-score"));
}
END_TEST

START_TEST(regions_of_interest_that_were_there_stay_in_front) {
  const Attached frame({{.w = 1, .h = 1}, {.w = 0.5, .h = 0.5}});
  ck_assert_uint_eq(frame.rois.size(), 3);
  assert_text(g_quark_to_string(frame.rois[0]->roi_type), "face");
  check_box(frame.rois[0], 1, 2, 3, 4);
  check_box(frame.rois[1], 0, 0, 320, 180);
  check_box(frame.rois[2], 0, 0, 160, 90);
}
END_TEST

START_TEST(a_box_lies_within_the_frame_and_has_a_pixel) {
  const Attached frame({{.x = -0.1, .y = -0.1, .w = 2, .h = 2},
                        {.x = 1, .y = 1, .w = 0, .h = 0},
                        {.x = 0.5, .y = 0.5, .w = 0.0001, .h = 0.0001}});
  check_box(frame.rois.at(1), 0, 0, 320, 180);
  check_box(frame.rois.at(2), 319, 179, 1, 1);
  check_box(frame.rois.at(3), 160, 90, 1, 1);
}
END_TEST

START_TEST(none_attaches_nothing) {
  const Attached frame({{.w = 1, .h = 1}}, RegionMeta::None);
  ck_assert(frame.ok);
  ck_assert_uint_eq(frame.rois.size(), 1);
}
END_TEST

START_TEST(auto_attaches_regions_of_interest_only_where_there_is_no_gstanalytics) {
  const Attached frame({{.w = 1, .h = 1}}, RegionMeta::Auto);
  ck_assert(frame.ok);
  ck_assert_uint_eq(frame.rois.size(), analytics_available() ? 1 : 2);
}
END_TEST

START_TEST(gstanalytics_is_refused_only_where_there_is_none) {
  const Attached frame({{.w = 1, .h = 1}}, RegionMeta::Analytics);
  ck_assert(frame.ok == analytics_available());
  ck_assert_uint_eq(frame.rois.size(), 1);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("regions");
  TCase* tests = tcase_create("regions");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, regions_are_places_in_the_frame_also_where_the_input_is_a_part_of_it);
  tcase_add_test(tests, a_peak_is_normalized_as_a_score_is_with_the_pixel_threshold);
  tcase_add_test(tests, a_map_below_the_threshold_has_no_region);
  tcase_add_test(tests, there_are_at_most_64_regions_the_worst_ones);
  tcase_add_test(tests, a_region_of_interest_says_where_and_how_bad);
  tcase_add_test(tests, without_a_calibration_a_region_of_interest_has_no_normalized_score);
  tcase_add_test(tests, regions_of_interest_that_were_there_stay_in_front);
  tcase_add_test(tests, a_box_lies_within_the_frame_and_has_a_pixel);
  tcase_add_test(tests, none_attaches_nothing);
  tcase_add_test(tests, auto_attaches_regions_of_interest_only_where_there_is_no_gstanalytics);
  tcase_add_test(tests, gstanalytics_is_refused_only_where_there_is_none);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
