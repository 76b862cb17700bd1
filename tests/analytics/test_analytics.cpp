// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions as GstAnalytics detections, read back as other elements read them. Needs GStreamer 1.24,
// and neither the element nor LibTorch: tests/analytics/run.

#include <gst/analytics/analytics.h>
#include <gst/video/video.h>

#include <cmath>
#include <memory>
#include <vector>

#include "../../gst-plugin/regionmeta.hpp"
#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

struct UnrefBuffer {
  void operator()(GstBuffer* b) const { gst_buffer_unref(b); }
};
using Frame = std::unique_ptr<GstBuffer, UnrefBuffer>;

Frame make_frame() { return Frame(gst_buffer_new_allocate(nullptr, 320 * 180, nullptr)); }

void attach(const Frame& frame, const std::vector<AnomalyRegion>& regions,
            RegionMeta kind = RegionMeta::Analytics) {
  ck_assert(attach_regions(frame.get(), regions, 320, 180, 0, kind));
}

struct Detection {
  std::string type;
  gint x = 0, y = 0, width = 0, height = 0;
  gfloat confidence = 0;
  guint id = 0;
};

std::vector<Detection> detections_of(GstBuffer* buffer) {
  std::vector<Detection> detections;
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  gpointer state = nullptr;
  GstAnalyticsMtd found;
  while (meta && gst_analytics_relation_meta_iterate(meta, &state,
                                                     gst_analytics_od_mtd_get_mtd_type(), &found)) {
    Detection d;
    d.type = g_quark_to_string(gst_analytics_od_mtd_get_obj_type(&found));
    ck_assert(
        gst_analytics_od_mtd_get_location(&found, &d.x, &d.y, &d.width, &d.height, &d.confidence));
    d.id = gst_analytics_mtd_get_id(&found);
    detections.push_back(d);
  }
  return detections;
}

/// The classification that objectdetectionoverlay shows beside a detection.
GstAnalyticsMtd class_of(const Frame& frame, const Detection& detection) {
  GstAnalyticsMtd found;
  ck_assert(gst_analytics_relation_meta_get_direct_related(
      gst_buffer_get_analytics_relation_meta(frame.get()), detection.id,
      GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_cls_mtd_get_mtd_type(), nullptr, &found));
  return found;
}

void check_box(const Detection& d, gint x, gint y, gint width, gint height) {
  ck_assert_int_eq(d.x, x);
  ck_assert_int_eq(d.y, y);
  ck_assert_int_eq(d.width, width);
  ck_assert_int_eq(d.height, height);
}

constexpr AnomalyRegion kScratch{.x = 0.25,
                                 .y = 0.5,
                                 .w = 0.125,
                                 .h = 0.1,
                                 .peak = 3,
                                 .normalized_peak = 0.75,
                                 .peak_x = 0.3,
                                 .peak_y = 0.55};
constexpr AnomalyRegion kDent{.x = 0.5,
                              .y = 0.1,
                              .w = 0.25,
                              .h = 0.5,
                              .peak = 2.5,
                              .normalized_peak = 0.625,
                              .peak_x = 0.6,
                              .peak_y = 0.2};

}  // namespace

START_TEST(a_region_is_a_detection_with_its_place_and_confidence) {
  const Frame frame = make_frame();
  attach(frame, {kScratch, kDent});
  const auto detections = detections_of(frame.get());
  ck_assert_uint_eq(detections.size(), 2);
  assert_text(detections[0].type, "anomaly");
  check_box(detections[0], 80, 90, 40, 18);
  ck_assert_float_eq(detections[0].confidence, 0.75f);
  check_box(detections[1], 160, 18, 80, 90);
  ck_assert_float_eq(detections[1].confidence, 0.625f);
}
END_TEST

START_TEST(a_detection_and_its_class_are_related_both_ways) {
  const Frame frame = make_frame();
  attach(frame, {kDent, kScratch});
  for (const Detection& detection : detections_of(frame.get())) {
    const GstAnalyticsMtd found = class_of(frame, detection);
    ck_assert_uint_eq(gst_analytics_cls_mtd_get_length(&found), 1);
    assert_text(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&found, 0)), "anomaly");
    ck_assert_float_eq(gst_analytics_cls_mtd_get_level(&found, 0), detection.confidence);
    ck_assert_int_eq(gst_analytics_relation_meta_get_relation(found.meta, found.id, detection.id),
                     GST_ANALYTICS_REL_TYPE_RELATE_TO);
  }
}
END_TEST

START_TEST(what_other_analysers_found_stays_and_the_meta_is_theirs) {
  const Frame frame = make_frame();
  GstAnalyticsRelationMeta* theirs = gst_buffer_add_analytics_relation_meta(frame.get());
  GstAnalyticsODMtd person;
  gst_analytics_relation_meta_add_od_mtd(theirs, g_quark_from_string("person"), 1, 2, 3, 4, 0.5f,
                                         &person);
  attach(frame, {kScratch});
  ck_assert_uint_eq(gst_buffer_get_n_meta(frame.get(), gst_analytics_relation_meta_api_get_type()),
                    1);
  const auto detections = detections_of(frame.get());
  ck_assert_uint_eq(detections.size(), 2);
  assert_text(detections[0].type, "person");
  check_box(detections[0], 1, 2, 3, 4);
  check_box(detections[1], 80, 90, 40, 18);
}
END_TEST

START_TEST(two_elements_in_a_row_share_one_relation_meta) {
  const Frame frame = make_frame();
  attach(frame, {kScratch});
  attach(frame, {kDent});
  ck_assert_uint_eq(gst_buffer_get_n_meta(frame.get(), gst_analytics_relation_meta_api_get_type()),
                    1);
  ck_assert_uint_eq(detections_of(frame.get()).size(), 2);
}
END_TEST

START_TEST(sixty_four_regions_are_all_there) {
  const Frame frame = make_frame();
  std::vector<AnomalyRegion> regions(64, kScratch);
  for (size_t i = 0; i < regions.size(); ++i) regions[i].x = static_cast<double>(i) / 320;
  attach(frame, regions);
  const auto detections = detections_of(frame.get());
  ck_assert_uint_eq(detections.size(), 64);
  for (gint i = 0; i < 64; ++i) {
    ck_assert_int_eq(detections[i].x, i);
    const GstAnalyticsMtd found = class_of(frame, detections[i]);
    ck_assert_float_eq(gst_analytics_cls_mtd_get_level(&found, 0), 0.75f);
  }
}
END_TEST

START_TEST(without_a_calibration_the_confidence_is_one) {
  const Frame frame = make_frame();
  AnomalyRegion region = kScratch;
  region.normalized_peak = std::nan("");
  attach(frame, {region});
  ck_assert_float_eq(detections_of(frame.get()).at(0).confidence, 1);
}
END_TEST

START_TEST(regions_are_read_back_and_what_others_found_is_not) {
  const Frame frame = make_frame();
  GstAnalyticsODMtd person;
  gst_analytics_relation_meta_add_od_mtd(gst_buffer_add_analytics_relation_meta(frame.get()),
                                         g_quark_from_string("person"), 1, 2, 3, 4, 0.5f, &person);
  ck_assert(attached_regions(frame.get()).empty());
  attach(frame, {kScratch, kDent});
  const auto regions = attached_regions(frame.get());
  ck_assert_uint_eq(regions.size(), 2);
  ck_assert_int_eq(regions[0].x, 80);
  ck_assert_int_eq(regions[0].y, 90);
  ck_assert_int_eq(regions[0].width, 40);
  ck_assert_int_eq(regions[0].height, 18);
  ck_assert_double_eq(regions[0].confidence.value(), 0.75);
  ck_assert_double_eq(regions[1].confidence.value(), 0.625);
  ck_assert_ptr_null(regions[0].about);
}
END_TEST

START_TEST(a_frame_without_a_region_gets_no_relation_meta) {
  const Frame frame = make_frame();
  attach(frame, {});
  ck_assert_ptr_null(gst_buffer_get_analytics_relation_meta(frame.get()));
}
END_TEST

START_TEST(auto_is_gstanalytics_and_roi_is_not) {
  ck_assert(analytics_available());
  const Frame automatic = make_frame(), roi = make_frame(), none = make_frame();
  attach(automatic, {kScratch}, RegionMeta::Auto);
  attach(roi, {kScratch}, RegionMeta::Roi);
  attach(none, {kScratch}, RegionMeta::None);
  const GType rois = GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE;
  ck_assert_uint_eq(detections_of(automatic.get()).size(), 1);
  ck_assert_uint_eq(gst_buffer_get_n_meta(automatic.get(), rois), 0);
  ck_assert_uint_eq(detections_of(roi.get()).size(), 0);
  ck_assert_uint_eq(gst_buffer_get_n_meta(roi.get(), rois), 1);
  ck_assert_uint_eq(detections_of(none.get()).size(), 0);
  ck_assert_uint_eq(gst_buffer_get_n_meta(none.get(), rois), 0);
}
END_TEST

START_TEST(scaling_moves_detections_along) {
  // What docs/metadata.md says crosses videoscale, with GStreamer's own element.
  GstElement* pipeline = gst_parse_launch(
      "appsrc name=in caps=video/x-raw,format=GRAY8,width=320,height=180,framerate=1/1 ! "
      "videoscale ! video/x-raw,width=160,height=90 ! appsink name=out",
      nullptr);
  ck_assert_ptr_nonnull(pipeline);
  GstElement* in = gst_bin_get_by_name(GST_BIN(pipeline), "in");
  GstElement* out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  Frame frame = make_frame();
  attach(frame, {kScratch});
  GstFlowReturn flow;
  g_signal_emit_by_name(in, "push-buffer", frame.get(), &flow);
  ck_assert_int_eq(flow, GST_FLOW_OK);
  GstSample* sample = nullptr;
  g_signal_emit_by_name(out, "pull-sample", &sample);
  ck_assert_ptr_nonnull(sample);
  const auto detections = detections_of(gst_sample_get_buffer(sample));
  ck_assert_uint_eq(detections.size(), 1);
  check_box(detections[0], 40, 45, 20, 9);
  gst_sample_unref(sample);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(in);
  gst_object_unref(out);
  gst_object_unref(pipeline);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("analytics");
  TCase* tests = tcase_create("analytics");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_region_is_a_detection_with_its_place_and_confidence);
  tcase_add_test(tests, a_detection_and_its_class_are_related_both_ways);
  tcase_add_test(tests, what_other_analysers_found_stays_and_the_meta_is_theirs);
  tcase_add_test(tests, two_elements_in_a_row_share_one_relation_meta);
  tcase_add_test(tests, sixty_four_regions_are_all_there);
  tcase_add_test(tests, without_a_calibration_the_confidence_is_one);
  tcase_add_test(tests, regions_are_read_back_and_what_others_found_is_not);
  tcase_add_test(tests, a_frame_without_a_region_gets_no_relation_meta);
  tcase_add_test(tests, auto_is_gstanalytics_and_roi_is_not);
  tcase_add_test(tests, scaling_moves_detections_along);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
