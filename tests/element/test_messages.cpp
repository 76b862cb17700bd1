// SPDX-License-Identifier: LGPL-2.1-or-later
// What the element tells an application: statistics, alarms, how far a fit is, the time of day.

#include "../check_main.hpp"
#include "live.hpp"

namespace {

guint64 stat(ElementHarness& h, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(h.element(), "stats", &stats, nullptr);
  const guint64 value = whole_number(stats, field);
  gst_structure_free(stats);
  return value;
}

}  // namespace

// ---- statistics ---------------------------------------------------------------------------------

START_TEST(stats_count_every_frame_by_what_became_of_it) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=2");
  h.push(0, false, GST_BUFFER_FLAG_CORRUPTED);
  for (guint i = 1; i < 8; ++i) h.push(i);
  for (guint i = 0; i < 8; ++i) h.pull();
  ck_assert_uint_eq(stat(h, "frames"), 8);
  ck_assert_uint_eq(stat(h, "corrupted"), 1);
  ck_assert_uint_eq(stat(h, "inferred"), 4);
  ck_assert_uint_eq(stat(h, "stale"), 3);
  ck_assert_uint_ge(stat(h, "batches"), 1);
  ck_assert_uint_le(stat(h, "batches"), 4);
  ck_assert_uint_gt(stat(h, "mean-inference-time"), 0);
  ck_assert_uint_ge(stat(h, "max-latency"), stat(h, "mean-latency"));
}
END_TEST

START_TEST(stats_tell_of_learning_and_of_the_batches_that_frames_were_in) {
  TemporaryFolder folder;
  ElementHarness h("mode=auto fit-frames=3 input-size=128 bank-location=" + folder.file("bank"));
  for (guint i = 0; i < 4; ++i) {
    h.push(i);
    h.pull();  // one at a time
  }
  ck_assert_uint_eq(stat(h, "learned"), 3);
  ck_assert_uint_eq(stat(h, "inferred"), 1);
  ck_assert_uint_eq(stat(h, "batches"), 4);
  GstStructure* stats = nullptr;
  g_object_get(h.element(), "stats", &stats, nullptr);
  ck_assert_double_eq(number(stats, "mean-batch"), 1);
  // Alone in its batches, the element had all of the engine's time.
  const guint64 each = whole_number(stats, "mean-inference-time");
  ck_assert_uint_ge(whole_number(stats, "engine-time"), 4 * each);
  ck_assert_uint_le(whole_number(stats, "engine-time"), 4 * (each + 1));
  gst_structure_free(stats);
}
END_TEST

START_TEST(stats_are_zero_before_the_element_runs) {
  GstElement* element = gst_element_factory_make("patchcoredetect", nullptr);
  gst_object_ref_sink(element);
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  ck_assert_uint_eq(whole_number(stats, "frames"), 0);
  gst_structure_free(stats);
  gst_object_unref(element);
}
END_TEST

// ---- alarms and other messages ------------------------------------------------------------------

START_TEST(an_alarm_starts_and_stops_with_its_peak_and_its_times) {
  FittedBank bank;
  ElementHarness h(bank.detect + "camera-id=door alarm-frames=2 threshold=0.8");
  // A single anomalous frame is none.
  for (guint i = 0; i < 12; ++i) h.push(i, i == 1 || (i >= 4 && i < 8));
  for (guint i = 0; i < 12; ++i) h.pull();
  const auto alarms = element_messages(h.bus(), "patchcore-alarm");
  ck_assert_uint_eq(alarms.size(), 2);
  const GstStructure* start = gst_message_get_structure(alarms[0].get());
  const GstStructure* stop = gst_message_get_structure(alarms[1].get());
  assert_text(text(start, "type"), "start");
  assert_text(text(stop, "type"), "stop");
  for (const GstStructure* alarm : {start, stop}) {
    assert_text(text(alarm, "camera-id"), "door");
    ck_assert_uint_eq(whole_number(alarm, "timestamp"), 4 * kFrame);
    ck_assert_uint_eq(whole_number(alarm, "running-time"), 4 * kFrame);
  }
  ck_assert_uint_eq(whole_number(stop, "duration"), 4 * kFrame);
  // Where make_frame paints its defect, give or take a step of the coarse layer.
  ck_assert_double_eq_tol(number(stop, "peak-x"), 96.0 / 128, 24.0 / 128);
  ck_assert_double_eq_tol(number(stop, "peak-y"), 56.0 / 128, 24.0 / 128);
  ck_assert_uint_ge(whole_number(stop, "peak-timestamp"), 4 * kFrame);
  ck_assert_uint_lt(whole_number(stop, "peak-timestamp"), 8 * kFrame);
}
END_TEST

START_TEST(eos_a_flush_and_a_new_stream_stop_an_alarm_that_is_on) {
  FittedBank bank;
  for (const GstEventType by : {GST_EVENT_EOS, GST_EVENT_FLUSH_STOP, GST_EVENT_STREAM_START}) {
    ElementHarness h(bank.detect + "alarm-frames=1");
    h.push(0, true);
    h.pull();
    assert_text(alarms(h), "start");
    if (by == GST_EVENT_EOS) {
      h.end();
    } else {
      if (by == GST_EVENT_STREAM_START) {
        push_event(h, gst_event_new_stream_start("another"));
      } else {
        push_event(h, gst_event_new_flush_start());
        push_event(h, gst_event_new_flush_stop(TRUE));
        push_segment(h);
      }
      h.push(1);
      h.pull();
    }
    assert_text(alarms(h), "stop");
  }
}
END_TEST

START_TEST(stale_frames_count_for_no_alarm) {
  FittedBank bank;
  ElementHarness h(bank.detect + "alarm-frames=2 inference-interval=4");
  for (guint i = 0; i < 4; ++i) h.push(i, true);
  for (guint i = 0; i < 4; ++i) ck_assert(anomalous(h.pull()));
  assert_text(alarms(h), "");
  h.push(4, true);
  h.pull();
  assert_text(alarms(h), "start");
}
END_TEST

START_TEST(learning_is_told_frame_by_frame_up_to_a_hundred_times) {
  TemporaryFolder folder;
  ElementHarness h("mode=fit input-size=128 fit-frames=5 bank-location=" + folder.file("bank"));
  for (guint i = 0; i < 5; ++i) h.push(i);
  for (guint i = 0; i < 5; ++i) h.pull();
  const auto told = element_messages(h.bus(), "patchcore-fit");
  ck_assert_uint_eq(told.size(), 5);
  for (guint i = 0; i < 5; ++i) {
    const GstStructure* s = gst_message_get_structure(told[i].get());
    ck_assert_uint_eq(whole_number(s, "frames"), i + 1);
    ck_assert_uint_eq(whole_number(s, "of"), 5);
  }
}
END_TEST

START_TEST(utc_comes_from_a_reference_timestamp_in_unix_or_ntp_time) {
  // RFC 5905: NTP time 2208988800 s is 1970-01-01.
  FittedBank bank;
  ElementHarness h(bank.detect);
  const GstClockTime unix_time = 1700000000 * GST_SECOND;
  const struct {
    const char* caps;
    GstClockTime time;
  } references[] = {{"timestamp/x-unix", unix_time},
                    {"timestamp/x-ntp", unix_time + 2208988800 * GST_SECOND}};
  for (const auto& [name, time] : references) {
    GstBuffer* frame = make_frame(0, false);
    GstCaps* caps = gst_caps_new_empty_simple(name);
    gst_buffer_add_reference_timestamp_meta(frame, caps, time, GST_CLOCK_TIME_NONE);
    gst_caps_unref(caps);
    gst_harness_push(h.get(), frame);
    const auto message = wait_for_message(h.bus(), "patchcore");
    ck_assert_uint_eq(whole_number(gst_message_get_structure(message.get()), "utc"), unix_time);
  }
}
END_TEST

START_TEST(utc_is_else_when_the_frame_is_due_on_the_pipelines_clock) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  // The harness's clock stands at 0 with a base time of 0: frame 25 is due in a second.
  const gint64 before = g_get_real_time();
  h.push(25);
  const auto message = wait_for_message(h.bus(), "patchcore");
  const auto utc =
      static_cast<gint64>(whole_number(gst_message_get_structure(message.get()), "utc") / 1000);
  ck_assert_int_ge(utc, before + G_USEC_PER_SEC);
  ck_assert_int_le(utc, g_get_real_time() + G_USEC_PER_SEC);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("messages");
  TCase* tests = tcase_create("messages");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, stats_count_every_frame_by_what_became_of_it);
  tcase_add_test(tests, stats_tell_of_learning_and_of_the_batches_that_frames_were_in);
  tcase_add_test(tests, stats_are_zero_before_the_element_runs);
  tcase_add_test(tests, an_alarm_starts_and_stops_with_its_peak_and_its_times);
  tcase_add_test(tests, eos_a_flush_and_a_new_stream_stop_an_alarm_that_is_on);
  tcase_add_test(tests, stale_frames_count_for_no_alarm);
  tcase_add_test(tests, learning_is_told_frame_by_frame_up_to_a_hundred_times);
  tcase_add_test(tests, utc_comes_from_a_reference_timestamp_in_unix_or_ntp_time);
  tcase_add_test(tests, utc_is_else_when_the_frame_is_due_on_the_pipelines_clock);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
