// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcoredetect by itself, in GstHarness: what it does with frames, events and queries.

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

/// Messages of a type that are on the bus now.
std::vector<std::shared_ptr<GstMessage>> messages(GstBus* bus, GstMessageType type) {
  std::vector<std::shared_ptr<GstMessage>> found;
  while (GstMessage* message = gst_bus_pop_filtered(bus, type))
    found.emplace_back(message, gst_message_unref);
  return found;
}

}  // namespace

START_TEST(fit_passes_frames_unchanged_and_leaves_a_bank_before_eos) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank.safetensors");
  ElementHarness h("mode=fit input-size=128 bank-location=" + location);
  for (guint i = 0; i < 8; ++i) ck_assert_int_eq(h.push(i), GST_FLOW_OK);
  for (guint i = 0; i < 8; ++i) {
    const auto frame = h.pull();
    ck_assert(pixels(frame.get()) == original(i, false));
    assert_text(state_of(frame), "learning");
  }
  ck_assert(!g_file_test(location.c_str(), G_FILE_TEST_EXISTS));
  h.end();
  ck_assert(g_file_test(location.c_str(), G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(a_defect_scores_above_the_threshold_and_its_peak_is_there) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(100);
  h.push(101, /*defect=*/true);
  const auto normal = h.pull(), defective = h.pull();
  assert_text(state_of(normal), "scored");
  ck_assert(!anomalous(normal));
  ck_assert(anomalous(defective));
  ck_assert_double_lt(number(result_of(normal), "normalized-score"), 0.5);
  ck_assert_double_ge(number(result_of(defective), "normalized-score"), 0.5);
  // make_frame paints x 88..103, y 48..63 of 128; a step of the coarse layer is 16 pixels.
  ck_assert_double_ge(number(result_of(defective), "peak-x"), (88.0 - 16) / 128);
  ck_assert_double_le(number(result_of(defective), "peak-x"), (104.0 + 16) / 128);
  ck_assert_double_ge(number(result_of(defective), "peak-y"), (48.0 - 16) / 128);
  ck_assert_double_le(number(result_of(defective), "peak-y"), (64.0 + 16) / 128);
}
END_TEST

START_TEST(frames_leave_in_order_each_with_its_result) {
  FittedBank bank;
  // Twelve frames calibrate roughly: the threshold is set between noise and defect.
  ElementHarness h(bank.detect + " batch-size=4 threshold=0.8");
  constexpr guint kFrames = 40;
  for (guint i = 0; i < kFrames; ++i) ck_assert_int_eq(h.push(i, i % 7 == 3), GST_FLOW_OK);
  for (guint i = 0; i < kFrames; ++i) {
    const auto frame = h.pull();
    ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), i * GST_SECOND / 25);
    ck_assert_int_eq(anomalous(frame), i % 7 == 3);
  }
}
END_TEST

START_TEST(a_score_does_not_depend_on_the_batch) {
  FittedBank bank;
  std::vector<double> alone;
  ElementHarness one(bank.detect + " batch-size=1");
  for (guint i = 0; i < 8; ++i) {
    one.push(i, i % 2);
    alone.push_back(number(result_of(one.pull()), "score"));
  }
  ElementHarness eight(bank.detect + " batch-size=8");
  for (guint i = 0; i < 8; ++i) eight.push(i, i % 2);
  for (guint i = 0; i < 8; ++i)
    ck_assert_double_eq_tol(number(result_of(eight.pull()), "score"), alone[i], 1e-5 * alone[i]);
}
END_TEST

START_TEST(the_heatmap_paints_anomalous_frames_where_they_are_and_leaves_others) {
  FittedBank bank;
  ElementHarness h(bank.detect + " overlay=heatmap opacity=1");
  h.push(100);
  h.push(101, true);
  ck_assert(pixels(h.pull().get()) == original(100, false));
  const std::string painted = pixels(h.pull().get()), before = original(101, true);
  // A dark stripe of the defect: the ramp of grey frames ends in white.
  ck_assert(painted[58 * 128 + 96] != before[58 * 128 + 96]);
  ck_assert(painted[120 * 128] == before[120 * 128]);
}
END_TEST

START_TEST(overlay_none_leaves_every_frame_as_it_was) {
  FittedBank bank;
  ElementHarness h(bank.detect + " overlay=none");
  h.push(101, true);
  ck_assert(pixels(h.pull().get()) == original(101, true));
}
END_TEST

START_TEST(auto_learns_then_scores_in_the_same_stream_and_next_time_at_once) {
  TemporaryFolder folder;
  const std::string line =
      "mode=auto fit-frames=10 input-size=128 bank-location=" + folder.file("bank.safetensors");
  {
    ElementHarness h(line);
    for (guint i = 0; i < 10; ++i) ck_assert_int_eq(h.push(i), GST_FLOW_OK);
    // The harness is live: frames pass while the bank is built. Push until one is scored.
    guint scored = 0;
    for (guint i = 0; i < 10; ++i) assert_text(state_of(h.pull()), "learning");
    for (guint i = 10; scored == 0; ++i) {
      ck_assert_int_eq(h.push(i, true), GST_FLOW_OK);
      const auto frame = h.pull();
      const std::string now = state_of(frame);
      ck_assert(now == "building" || now == "scored");
      if (now == "scored") scored += anomalous(frame);
    }
  }
  ElementHarness again(line);
  again.push(50);
  assert_text(state_of(again.pull()), "scored");
}
END_TEST

START_TEST(auto_makes_a_bank_of_fewer_frames_at_eos_and_warns) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank.safetensors");
  const std::string line = "mode=auto fit-frames=100 input-size=128 bank-location=" + location;
  ElementHarness h(line);
  for (guint i = 0; i < 6; ++i) h.push(i);
  h.end();
  ck_assert(g_file_test(location.c_str(), G_FILE_TEST_EXISTS));
  ck_assert_uint_eq(messages(h.bus(), GST_MESSAGE_WARNING).size(), 1);
}
END_TEST

START_TEST(corrupted_and_gap_frames_pass_without_being_fitted_or_scored) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(0, true, GST_BUFFER_FLAG_CORRUPTED);
  h.push(1, true, GST_BUFFER_FLAG_GAP);
  assert_text(state_of(h.pull()), "none");
  assert_text(state_of(h.pull()), "none");

  TemporaryFolder folder;
  ElementHarness fit("mode=fit bank-location=" + folder.file("bank"));
  fit.push(0, false, GST_BUFFER_FLAG_CORRUPTED);
  gst_harness_push_event(fit.get(), gst_event_new_eos());
  // The only frame didn't count, so there is none.
  ck_assert_ptr_nonnull(fit.error(GST_SECOND * 60).get());
}
END_TEST

START_TEST(a_serialized_event_keeps_its_place_among_the_frames) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  std::string order;  // what the next element gets: f for a frame, m for the event
  gst_pad_add_probe(
      h.get()->sinkpad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        auto* seen = static_cast<std::string*>(data);
        if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
          *seen += 'f';
        else if (gst_event_has_name(GST_PAD_PROBE_INFO_EVENT(info), "mark"))
          *seen += 'm';
        return GST_PAD_PROBE_OK;
      },
      &order, nullptr);
  for (guint i = 0; i < 4; ++i) {
    h.push(i);
    gst_harness_push_event(h.get(), gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                                         gst_structure_new_empty("mark")));
  }
  h.end();
  assert_text(order, "fmfmfmfm");
}
END_TEST

START_TEST(a_flush_drops_what_is_held_and_the_stream_goes_on) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  for (guint i = 0; i < 10; ++i) h.push(i);
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h);
  while (GstBuffer* left = gst_harness_try_pull(h.get())) gst_buffer_unref(left);
  ck_assert_int_eq(h.push(77, true), GST_FLOW_OK);
  const auto frame = h.pull();
  ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), 77 * GST_SECOND / 25);
  ck_assert(anomalous(frame));
}
END_TEST

START_TEST(latency_grows_by_a_constant_from_paused_on) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  gst_harness_set_upstream_latency(h.get(), 10 * GST_MSECOND);
  const GstClockTime before = gst_harness_query_latency(h.get());
  ck_assert_uint_gt(before, 10 * GST_MSECOND);
  h.push(0);
  h.pull();
  ck_assert_uint_eq(gst_harness_query_latency(h.get()), before);
}
END_TEST

START_TEST(a_message_for_each_scored_frame_has_the_fields_of_levels_messages) {
  FittedBank bank;
  ElementHarness h(bank.detect + " camera-id=door");
  h.push(5, true);
  h.pull();
  const auto found = messages(h.bus(), GST_MESSAGE_ELEMENT);
  ck_assert_uint_eq(found.size(), 1);
  const GstStructure* s = gst_message_get_structure(found[0].get());
  assert_text(gst_structure_get_name(s), "patchcore");
  assert_text(gst_structure_get_string(s, "camera-id"), "door");
  for (const char* field : {"timestamp", "stream-time", "running-time"}) {
    guint64 time = 0;
    ck_assert(gst_structure_get_uint64(s, field, &time));
    ck_assert_uint_eq(time, 5 * GST_SECOND / 25);
  }
  guint64 duration = 0;
  ck_assert(gst_structure_get_uint64(s, "duration", &duration));
  ck_assert_uint_eq(duration, GST_SECOND / 25);
  gboolean anomalous = FALSE;
  ck_assert(gst_structure_get_boolean(s, "anomalous", &anomalous) && anomalous);
}
END_TEST

START_TEST(post_messages_false_leaves_the_bus_quiet) {
  FittedBank bank;
  ElementHarness h(bank.detect + " post-messages=false");
  h.push(5, true);
  h.pull();
  ck_assert_uint_eq(messages(h.bus(), GST_MESSAGE_ELEMENT).size(), 0);
}
END_TEST

START_TEST(the_threshold_moves_the_verdict_and_not_the_score) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(5, true);
  const auto before = h.pull();
  g_object_set(h.element(), "threshold", 1.0, nullptr);
  h.push(5, true);
  const auto after = h.pull();
  ck_assert(anomalous(before) && !anomalous(after));
  ck_assert_double_eq(number(result_of(before), "score"), number(result_of(after), "score"));
}
END_TEST

START_TEST(progress_is_told_of_loading_and_building_and_ends) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(5);
  h.pull();
  GstProgressType last = GST_PROGRESS_TYPE_ERROR;
  for (const auto& message : messages(h.bus(), GST_MESSAGE_PROGRESS))
    gst_message_parse_progress(message.get(), &last, nullptr, nullptr);
  ck_assert_int_eq(last, GST_PROGRESS_TYPE_COMPLETE);
}
END_TEST

START_TEST(leaving_paused_while_building_leaves_no_bank_and_no_file_behind) {
  TemporaryFolder folder;
  {
    ElementHarness h("mode=fit fit-frames=60 coreset-ratio=1 input-size=128 bank-location=" +
                     folder.file("bank.safetensors"));
    for (guint i = 0; i < 60; ++i) h.push(i);
    for (guint i = 0; i < 60; ++i) h.pull();
    // The build has begun when its first progress is on the bus.
    bool building = false;
    while (!building) {
      GstMessage* message =
          gst_bus_timed_pop_filtered(h.bus(), 60 * GST_SECOND, GST_MESSAGE_PROGRESS);
      ck_assert_ptr_nonnull(message);
      gchar* code = nullptr;
      gst_message_parse_progress(message, nullptr, &code, nullptr);
      building = g_str_equal(code, "build");
      g_free(code);
      gst_message_unref(message);
    }
  }
  ck_assert(std::filesystem::is_empty(folder.path()));
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("element");
  TCase* tests = tcase_create("element");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, fit_passes_frames_unchanged_and_leaves_a_bank_before_eos);
  tcase_add_test(tests, a_defect_scores_above_the_threshold_and_its_peak_is_there);
  tcase_add_test(tests, frames_leave_in_order_each_with_its_result);
  tcase_add_test(tests, a_score_does_not_depend_on_the_batch);
  tcase_add_test(tests, the_heatmap_paints_anomalous_frames_where_they_are_and_leaves_others);
  tcase_add_test(tests, overlay_none_leaves_every_frame_as_it_was);
  tcase_add_test(tests, auto_learns_then_scores_in_the_same_stream_and_next_time_at_once);
  tcase_add_test(tests, auto_makes_a_bank_of_fewer_frames_at_eos_and_warns);
  tcase_add_test(tests, corrupted_and_gap_frames_pass_without_being_fitted_or_scored);
  tcase_add_test(tests, a_serialized_event_keeps_its_place_among_the_frames);
  tcase_add_test(tests, a_flush_drops_what_is_held_and_the_stream_goes_on);
  tcase_add_test(tests, latency_grows_by_a_constant_from_paused_on);
  tcase_add_test(tests, a_message_for_each_scored_frame_has_the_fields_of_levels_messages);
  tcase_add_test(tests, post_messages_false_leaves_the_bus_quiet);
  tcase_add_test(tests, the_threshold_moves_the_verdict_and_not_the_score);
  tcase_add_test(tests, progress_is_told_of_loading_and_building_and_ends);
  tcase_add_test(tests, leaving_paused_while_building_leaves_no_bank_and_no_file_behind);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
