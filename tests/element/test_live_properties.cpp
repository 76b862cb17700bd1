// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties that change while PLAYING hold from the next frame on, and controlled ones follow
// their control source frame by frame.

#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>
#include <gst/video/video.h>

#include <map>

#include "../check_main.hpp"
#include "live.hpp"

namespace {

using FramePtr = std::shared_ptr<GstBuffer>;

template <typename Value>
void set(ElementHarness& h, const char* name, Value value) {
  g_object_set(h.element(), name, value, nullptr);
}

void set_nick(ElementHarness& h, const char* name, const char* nick) {
  gst_util_set_object_arg(G_OBJECT(h.element()), name, nick);
}

FramePtr pass(ElementHarness& h, guint index, bool defect) {
  h.push(index, defect);
  return h.pull();
}

bool is_painted(const FramePtr& frame, guint index) {
  return pixels(frame.get()) != original(index, true);
}

guint regions(const FramePtr& frame) {
  return gst_buffer_get_n_meta(frame.get(), GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

// Over an enum's values a control source goes from 0 to 1, whatever the binding.
constexpr double kHeatmap = 0.4, kLast = 1;

/// Values that a property has from these frames on, until the next one.
class Controlled {
 public:
  /// values: as GstControlSource has them, 0..1 over the property's range, or absolute.
  Controlled(ElementHarness& h, const char* property, std::map<guint, double> values) {
    GstControlSource* source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_NONE, nullptr);
    GstObject* element = GST_OBJECT(h.element());
    ck_assert(gst_object_add_control_binding(
        element, gst_direct_control_binding_new_absolute(element, property, source)));
    for (const auto& [frame, value] : values)
      gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), frame * kFrame,
                                         value);
    gst_object_unref(source);
  }
};

}  // namespace

START_TEST(the_verdict_follows_threshold_and_raw_threshold) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  ck_assert(!anomalous(pass(h, 20, false)));
  set(h, "raw-threshold", 0.0);
  ck_assert(anomalous(pass(h, 20, false)));
  set(h, "raw-threshold", -1.0);
  ck_assert(anomalous(pass(h, 20, true)));
  set(h, "threshold", 1.0);
  ck_assert(!anomalous(pass(h, 20, true)));
}
END_TEST

START_TEST(overlay_and_opacity_change_what_is_painted) {
  FittedBank bank;
  ElementHarness h(bank.detect + "opacity=1");
  ck_assert(is_painted(pass(h, 20, true), 20));
  set_nick(h, "overlay", "none");
  ck_assert(!is_painted(pass(h, 20, true), 20));
  set_nick(h, "overlay", "heatmap");
  set(h, "opacity", 0.0);
  ck_assert(!is_painted(pass(h, 20, true), 20));
  set(h, "opacity", 0.5);
  const std::string heat = pixels(pass(h, 20, true).get());
  set_nick(h, "overlay", "regions");
  const std::string regions = pixels(pass(h, 20, true).get());
  set_nick(h, "overlay", "both");
  ck_assert(heat != regions && pixels(pass(h, 20, true).get()) != regions);
}
END_TEST

START_TEST(a_label_comes_and_goes) {
  FittedBank bank;
  ElementHarness h(bank.detect + "overlay=none");
  ck_assert(!is_painted(pass(h, 20, true), 20));
  set(h, "label", TRUE);
  ck_assert(is_painted(pass(h, 20, true), 20));
  set(h, "label", FALSE);
  ck_assert(!is_painted(pass(h, 20, true), 20));
}
END_TEST

START_TEST(the_colormap_changes_what_is_painted_and_follows_its_control_source) {
  FittedBank bank;
  ElementHarness h(bank.detect + "opacity=1 threshold=0");
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=RGB,width=128,height=128,"
                               "framerate=25/1");
  const Controlled colormap(h, "colormap", {{0, 0.0}, {2, kLast}, {3, 0.0}});
  std::vector<std::string> painted;
  for (guint i = 0; i < 4; ++i) {
    GstBuffer* frame = gst_buffer_new_allocate(nullptr, 3 * 128 * 128, nullptr);
    gst_buffer_memset(frame, 0, 0, 3 * 128 * 128);
    for (gsize row = 40; row < 80; ++row) gst_buffer_memset(frame, row * 384 + 120, 255, 120);
    GST_BUFFER_PTS(frame) = i * kFrame;
    ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
    painted.push_back(pixels(h.pull().get()));
  }
  ck_assert(painted[1] == painted[0]);
  ck_assert(painted[2] != painted[0]);
  ck_assert(painted[3] == painted[0]);
}
END_TEST

START_TEST(what_is_put_on_a_frame_follows_attach_map_and_region_meta) {
  FittedBank bank;
  ElementHarness h(bank.detect + "region-meta=roi");
  auto frame = pass(h, 20, true);
  ck_assert_ptr_null(gst_patchcore_map_meta_get(frame.get(), 0));
  ck_assert_uint_ge(regions(frame), 1);
  set(h, "attach-map", TRUE);
  set_nick(h, "region-meta", "none");
  frame = pass(h, 20, true);
  ck_assert_ptr_nonnull(gst_patchcore_map_meta_get(frame.get(), 0));
  ck_assert_uint_eq(regions(frame), 0);
}
END_TEST

START_TEST(camera_id_is_told_of_the_next_frame_and_post_messages_ends_the_telling) {
  FittedBank bank;
  ElementHarness h(bank.detect + "camera-id=door");
  assert_text(text(result_of(pass(h, 0, false)), "camera-id"), "door");
  set(h, "camera-id", "gate");
  assert_text(text(result_of(pass(h, 1, false)), "camera-id"), "gate");
  ck_assert_uint_eq(element_messages(h.bus(), "patchcore").size(), 2);
  set(h, "post-messages", FALSE);
  pass(h, 2, false);
  ck_assert_uint_eq(element_messages(h.bus(), "patchcore").size(), 0);
}
END_TEST

START_TEST(alarm_frames_and_hysteresis_hold_for_an_alarm_that_is_on) {
  FittedBank bank;
  ElementHarness h(bank.detect + "alarm-frames=3");
  pass(h, 0, true);
  assert_text(alarms(h), "");
  set(h, "alarm-frames", 2u);
  pass(h, 1, true);
  assert_text(alarms(h), "start");
  set(h, "alarm-frames", 1u);
  // So far below the threshold is no frame: half the threshold is where an alarm ends at the
  // latest.
  set(h, "alarm-hysteresis", 1.0);
  set(h, "threshold", 0.01);
  pass(h, 2, false);
  assert_text(alarms(h), "");
  set(h, "alarm-hysteresis", 0.0);
  set(h, "threshold", 1.0);
  pass(h, 3, false);
  assert_text(alarms(h), "stop");
}
END_TEST

START_TEST(raw_threshold_overlay_and_opacity_follow_their_control_sources) {
  FittedBank bank;
  ElementHarness h(bank.detect + "opacity=1");
  const Controlled raw(h, "raw-threshold", {{0, -1.0}, {1, 1e9}, {2, 0.0}});
  const Controlled overlay(h, "overlay", {{0, kHeatmap}, {3, 0.0}, {4, kHeatmap}});
  const Controlled opacity(h, "opacity", {{0, 1.0}, {5, 0.0}});
  for (guint i = 0; i < 6; ++i) h.push(i, true);
  for (guint i = 0; i < 6; ++i) {
    const FramePtr frame = h.pull();
    ck_assert_int_eq(anomalous(frame), i != 1);
    ck_assert_int_eq(is_painted(frame, i), i == 0 || i == 2 || i == 4);
  }
}
END_TEST

START_TEST(inference_interval_follows_its_control_source) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  const Controlled interval(h, "inference-interval", {{0, 1.0}, {3, 100.0}, {6, 1.0}});
  for (guint i = 0; i < 8; ++i) h.push(i);
  for (const char* state :
       {"scored", "scored", "scored", "scored", "stale", "stale", "scored", "scored"})
    assert_text(state_of(h.pull()), state);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("live-properties");
  TCase* tests = tcase_create("live-properties");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, the_verdict_follows_threshold_and_raw_threshold);
  tcase_add_test(tests, overlay_and_opacity_change_what_is_painted);
  tcase_add_test(tests, a_label_comes_and_goes);
  tcase_add_test(tests, the_colormap_changes_what_is_painted_and_follows_its_control_source);
  tcase_add_test(tests, what_is_put_on_a_frame_follows_attach_map_and_region_meta);
  tcase_add_test(tests, camera_id_is_told_of_the_next_frame_and_post_messages_ends_the_telling);
  tcase_add_test(tests, alarm_frames_and_hysteresis_hold_for_an_alarm_that_is_on);
  tcase_add_test(tests, raw_threshold_overlay_and_opacity_follow_their_control_sources);
  tcase_add_test(tests, inference_interval_follows_its_control_source);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
