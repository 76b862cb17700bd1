// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcoredetect among other elements: ends, flushes, queries and buffers as pipelines have them.

#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>
#include <gst/video/video.h>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

std::string patchcoredetect(const FittedBank& bank) { return "patchcoredetect " + bank.detect; }

constexpr const char* kFrames = "video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1";

}  // namespace

START_TEST(a_serialized_query_is_refused_where_no_stream_is) {
  GstElement* element = gst_element_factory_make("patchcoredetect", nullptr);
  gst_object_ref_sink(element);
  GstPad* pad = gst_element_get_static_pad(element, "sink");
  for (GstState state : {GST_STATE_NULL, GST_STATE_READY}) {
    ck_assert_int_eq(gst_element_set_state(element, state), GST_STATE_CHANGE_SUCCESS);
    GstQuery* query = gst_query_new_drain();
    ck_assert(!gst_pad_query(pad, query));
    gst_query_unref(query);
  }
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(pad);
  gst_object_unref(element);
}
END_TEST

START_TEST(the_pipeline_ends_when_downstream_has_enough) {
  FittedBank bank;
  const std::string line = std::string("videotestsrc num-buffers=100 ! ") + kFrames + " ! " +
                           patchcoredetect(bank) + "! fakesink num-buffers=5";
  assert_text(run_pipeline(line), "");
}
END_TEST

START_TEST(a_branch_that_is_not_linked_leaves_the_others_alone) {
  FittedBank bank;
  const std::string line = std::string("videotestsrc num-buffers=40 ! ") + kFrames +
                           " ! tee name=t t. ! queue ! fakesink t. ! " + patchcoredetect(bank);
  assert_text(run_pipeline(line), "");
}
END_TEST

START_TEST(learning_that_is_cut_short_downstream_does_not_stop_other_branches) {
  TemporaryFolder folder;
  const std::string line =
      std::string("videotestsrc num-buffers=60 ! ") + kFrames +
      " ! tee name=t t. ! queue ! fakesink t. ! patchcoredetect mode=auto fit-frames=4 " +
      "input-size=128 bank-location=" + folder.file("bank") + " ! fakesink num-buffers=1";
  assert_text(run_pipeline(line), "");
}
END_TEST

START_TEST(a_second_stream_after_eos_is_scored) {
  FittedBank bank;
  ElementHarness h("bank-location=" + bank.location);
  h.push(0);
  h.pull();
  gst_harness_push_event(h.get(), gst_event_new_eos());
  push_event(h, gst_event_new_stream_start("second"));
  GstCaps* caps = gst_caps_from_string(kFrames);
  gst_harness_push_event(h.get(), gst_event_new_caps(caps));
  gst_caps_unref(caps);
  push_segment(h);
  ck_assert_int_eq(h.push(1, true), GST_FLOW_OK);
  ck_assert(anomalous(h.pull()));
}
END_TEST

START_TEST(a_flush_while_the_fit_is_full_does_not_make_it_learn_for_ever) {
  TemporaryFolder folder;
  ElementHarness h("mode=auto fit-frames=4 input-size=128 bank-location=" + folder.file("bank"));
  for (guint i = 0; i < 4; ++i) h.push(i);
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h);
  while (GstBuffer* left = gst_harness_try_pull(h.get())) gst_buffer_unref(left);
  std::string state;
  guint learned = 0;
  for (guint i = 4; state != "scored"; ++i) {
    ck_assert_int_eq(h.push(i), GST_FLOW_OK);
    state = state_of(h.pull());
    // Four frames are wanted, whichever of those before the flush count.
    learned += state == "learning";
    ck_assert_uint_le(learned, 4);
  }
}
END_TEST

START_TEST(a_crop_that_is_only_noted_on_the_buffer_is_seen) {
  // videocrop tags buffers where downstream takes GstVideoCropMeta, and copies where it doesn't.
  FittedBank bank;
  for (const char* format : {"RGB", "I420"}) {
    std::vector<std::shared_ptr<GstMessage>> messages;
    const std::string line = std::string("videotestsrc num-buffers=2 ! video/x-raw,format=") +
                             format + ",width=1024,height=128 ! videocrop right=896 ! " +
                             patchcoredetect(bank) + "! fakesink";
    assert_text(run_pipeline(line, &messages), "");
    ck_assert_uint_eq(messages.size(), 2);
  }
}
END_TEST

START_TEST(a_video_meta_larger_than_the_caps_is_read_within_the_caps) {
  FittedBank bank;
  ElementHarness h("bank-location=" + bank.location);
  gst_harness_set_src_caps_str(h.get(), "video/x-raw,format=RGB,width=64,height=64,framerate=25/1");
  GstBuffer* frame = gst_buffer_new_allocate(nullptr, 1024 * 64 * 3, nullptr);
  gst_buffer_memset(frame, 0, 128, 1024 * 64 * 3);
  gst_buffer_add_video_meta(frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, 1024, 64);
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

START_TEST(frames_pass_as_through_a_queue_where_downstream_reads_no_video_meta) {
  // A decoder that may puts a border around its pictures, and filesink writes what it gets. At this
  // size the format itself has no padding, whose bytes nobody sets.
  FittedBank bank;
  const std::string source =
      "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=104,height=78 ! ";
  const std::string direct = bank.folder.file("direct"), through = bank.folder.file("through");
  assert_text(run_pipeline(source + "vp8enc deadline=1 ! vp8dec ! filesink location=" + direct),
              "");
  assert_text(run_pipeline(source + "vp8enc deadline=1 ! vp8dec ! " + patchcoredetect(bank) +
                           "overlay=none ! filesink location=" + through),
              "");
  ck_assert(read_file(direct) == read_file(through));
}
END_TEST

START_TEST(a_segment_in_bytes_is_taken) {
  FittedBank bank;
  const std::string raw = bank.folder.file("raw");
  write_file(raw, std::string(128 * 128 * 3, 'x'));
  g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK));
  std::vector<std::shared_ptr<GstMessage>> messages;
  const std::string line = "filesrc blocksize=16384 location=" + raw + " ! " + kFrames + " ! " +
                           patchcoredetect(bank) + "! fakesink";
  assert_text(run_pipeline(line, &messages), "");
  ck_assert_uint_eq(messages.size(), 3);
}
END_TEST

START_TEST(the_threshold_follows_its_control_source_frame_by_frame) {
  FittedBank bank;
  ElementHarness h("bank-location=" + bank.location);
  GstControlSource* source = gst_interpolation_control_source_new();
  g_object_set(source, "mode", GST_INTERPOLATION_MODE_NONE, nullptr);
  gst_object_add_control_binding(
      GST_OBJECT(h.element()),
      gst_direct_control_binding_new_absolute(GST_OBJECT(h.element()), "threshold", source));
  auto* values = GST_TIMED_VALUE_CONTROL_SOURCE(source);
  gst_timed_value_control_source_set(values, 0, 0.5);
  gst_timed_value_control_source_set(values, 2 * GST_SECOND / 25, 1.0);
  for (guint i = 0; i < 4; ++i) h.push(i, true);
  for (guint i = 0; i < 4; ++i) ck_assert_int_eq(anomalous(h.pull()), i < 2);
  gst_object_unref(source);
}
END_TEST

START_TEST(stopping_at_any_moment_neither_hangs_nor_crashes) {
  FittedBank bank;
  for (int round = 0; round < 40; ++round) {
    const std::string mode = round % 2
                                 ? "bank-location=" + bank.location
                                 : "mode=auto fit-frames=3 input-size=128 bank-location=" +
                                       bank.folder.file(("auto" + std::to_string(round)).c_str());
    ElementHarness h(mode);
    for (int i = 0; i < round % 8; ++i) h.push(i);
    if (round % 3 == 0) gst_harness_push_event(h.get(), gst_event_new_flush_start());
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("stream");
  TCase* tests = tcase_create("stream");
  tcase_set_timeout(tests, 180);
  tcase_add_test(tests, a_serialized_query_is_refused_where_no_stream_is);
  tcase_add_test(tests, the_pipeline_ends_when_downstream_has_enough);
  tcase_add_test(tests, a_branch_that_is_not_linked_leaves_the_others_alone);
  tcase_add_test(tests, learning_that_is_cut_short_downstream_does_not_stop_other_branches);
  tcase_add_test(tests, a_second_stream_after_eos_is_scored);
  tcase_add_test(tests, a_flush_while_the_fit_is_full_does_not_make_it_learn_for_ever);
  tcase_add_test(tests, a_crop_that_is_only_noted_on_the_buffer_is_seen);
  tcase_add_test(tests, a_video_meta_larger_than_the_caps_is_read_within_the_caps);
  tcase_add_test(tests, frames_pass_as_through_a_queue_where_downstream_reads_no_video_meta);
  tcase_add_test(tests, a_segment_in_bytes_is_taken);
  tcase_add_test(tests, the_threshold_follows_its_control_source_frame_by_frame);
  tcase_add_test(tests, stopping_at_any_moment_neither_hangs_nor_crashes);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
