// SPDX-License-Identifier: LGPL-2.1-or-later
// When frames leave: realtime, max-latency and QoS. The clock is in the test's hand.

// The element is linked into this program, so that the test can hold its engine.

#include <gst/check/gsttestclock.h>
#include <gstpatchcoredetect.h>

#include <engine.hpp>
#include <result.hpp>
#include <semaphore>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "linked_element.hpp"
#include "live.hpp"

using namespace gstpatchcore;

namespace {

/// An element that keeps to 100 ms on a clock that only the test moves.
class Hurry : public ElementHarness {
 public:
  explicit Hurry(const std::string& properties)
      : ElementHarness("realtime=yes max-latency=100000000 " + properties) {
    gst_harness_use_testclock(get());
  }

  /// Lets the clock go on to the deadline of the frame that waits.
  void reach_deadline() { ck_assert(gst_harness_crank_single_clock_wait(get())); }
};

/// That a bank was fitted on.
guint64 frames_in(const std::string& location) {
  PatchcoreBankInfo info;
  const Bank made(library().patchcore_bank_load(location.c_str(), nullptr, nullptr, nullptr));
  library().patchcore_bank_get_info(made.get(), &info);
  return info.frames;
}

/// Keeps a bank from being built, from the message on that tells of its beginning.
class HeldBuild {
 public:
  explicit HeldBuild(GstBus* bus) : bus_(bus) {
    gst_bus_set_sync_handler(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) {
          if (begins_building(message)) static_cast<HeldBuild*>(self)->hold();
          return GST_BUS_PASS;
        },
        this, nullptr);
  }
  ~HeldBuild() {
    leave_.release();
    gst_bus_set_sync_handler(bus_, nullptr, nullptr, nullptr);
  }
  void wait_for_begin() { entered_.acquire(); }

 private:
  static bool begins_building(GstMessage* message) {
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_PROGRESS) return false;
    GstProgressType type;
    gchar* code;
    gst_message_parse_progress(message, &type, &code, nullptr);
    const std::string what = code;
    g_free(code);
    return type == GST_PROGRESS_TYPE_START && what == "build";
  }
  void hold() {
    entered_.release();
    leave_.acquire();
  }

  GstBus* const bus_;
  std::binary_semaphore entered_{0}, leave_{0};
};

void drain_events(ElementHarness& h) {
  while (GstEvent* event = gst_harness_try_pull_event(h.get())) gst_event_unref(event);
}

guint64 latency_of(ElementHarness& h) { return gst_harness_query_latency(h.get()); }

}  // namespace

START_TEST(a_frame_leaves_at_its_deadline_with_the_last_result_marked_stale) {
  FittedBank bank;
  Hurry h(bank.detect);
  h.push(0);
  ck_assert_uint_eq(result_pts(h.pull()), 0);
  BusyEngine busy;
  h.push(1);
  h.reach_deadline();
  const auto frame = h.pull();
  ck_assert_uint_eq(pts(frame), kFrame);
  assert_text(state_of(frame), "stale");
  ck_assert_uint_eq(result_pts(frame), 0);
}
END_TEST

START_TEST(an_element_that_is_started_again_keeps_to_the_clock_it_has) {
  FittedBank bank;
  Hurry h(bank.detect);
  gst_element_set_state(h.element(), GST_STATE_READY);
  gst_element_set_state(h.element(), GST_STATE_PLAYING);
  push_event(h, gst_event_new_stream_start("again"));
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1");
  push_segment(h);
  BusyEngine busy;
  h.push(0);
  h.reach_deadline();
  assert_text(state_of(h.pull()), "none");
}
END_TEST

START_TEST(a_frame_that_leaves_before_there_was_any_result_has_none) {
  FittedBank bank;
  Hurry h(bank.detect);
  BusyEngine busy;
  h.push(0);
  h.reach_deadline();
  const auto frame = h.pull();
  assert_text(state_of(frame), "none");
  ck_assert(!gst_structure_has_field(result_of(frame), "score"));
}
END_TEST

START_TEST(a_result_that_comes_late_is_shown_with_the_frames_after_it) {
  FittedBank bank;
  Hurry h(bank.detect + "alarm-frames=1");
  BusyEngine busy;
  h.push(0, /*defect=*/true);
  h.reach_deadline();
  assert_text(state_of(h.pull()), "none");
  busy.hold();  // frame 0 is done now
  h.push(1);
  h.reach_deadline();
  const auto frame = h.pull();
  assert_text(state_of(frame), "stale");
  ck_assert_uint_eq(result_pts(frame), 0);
  ck_assert(anomalous(frame));
  GstStructure* stats = nullptr;
  g_object_get(h.element(), "stats", &stats, nullptr);
  ck_assert_uint_eq(whole_number(stats, "batches"), 1);
  gst_structure_free(stats);
  // What came late is no less an alarm, at the time of its own frame.
  const auto alarm = wait_for_message(h.bus(), "patchcore-alarm");
  ck_assert_uint_eq(whole_number(gst_message_get_structure(alarm.get()), "timestamp"), 0);
}
END_TEST

START_TEST(a_result_that_comes_late_is_not_shown_on_another_picture_or_stream) {
  FittedBank bank;
  for (const bool caps : {true, false}) {
    Hurry h(bank.detect);
    BusyEngine busy;
    h.push(0, /*defect=*/true);
    h.reach_deadline();
    assert_text(state_of(h.pull()), "none");
    drain_events(h);
    if (caps)
      gst_harness_set_src_caps_str(h.get(),
                                   "video/x-raw,format=GRAY8,width=128,height=128,framerate=5/1");
    else
      push_event(h, gst_event_new_stream_start("another"));
    gst_event_unref(gst_harness_pull_event(h.get()));  // it has left
    busy.hold();                                       // frame 0 is done now
    h.push(1);
    h.reach_deadline();
    assert_text(state_of(h.pull()), "none");
  }
}
END_TEST

START_TEST(without_realtime_a_frame_waits_for_its_result) {
  FittedBank bank;
  Hurry h(bank.detect + "realtime=no");
  auto busy = std::make_unique<BusyEngine>();
  h.push(0);
  GstTestClock* clock = gst_harness_get_testclock(h.get());
  gst_test_clock_set_time(clock, 10 * GST_SECOND);
  gst_object_unref(clock);
  ck_assert_ptr_null(gst_harness_try_pull(h.get()));
  busy.reset();
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

START_TEST(realtime_auto_is_yes_where_upstream_is_live_and_else_no) {
  FittedBank bank;
  for (const bool live : {true, false}) {
    Hurry h(bank.detect + "realtime=auto");
    gst_harness_set_live(h.get(), live);
    gst_harness_set_src_caps_str(h.get(),
                                 "video/x-raw,format=GRAY8,width=128,height=128,framerate=50/2");
    auto busy = std::make_unique<BusyEngine>();
    h.push(0);
    if (live)
      h.reach_deadline();
    else
      busy.reset();
    assert_text(state_of(h.pull()), live ? "none" : "scored");
  }
}
END_TEST

START_TEST(frames_in_a_hurry_are_not_dropped_and_keep_their_order) {
  FittedBank bank;
  Hurry h(bank.detect);
  BusyEngine busy;
  for (guint i = 0; i < 4; ++i) h.push(i);
  h.reach_deadline();  // the same for all of them, since the clock stood
  for (guint i = 0; i < 4; ++i) ck_assert_uint_eq(pts(h.pull()), i * kFrame);
}
END_TEST

START_TEST(frames_that_were_not_learned_in_time_are_replaced_by_later_ones) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank");
  Hurry h("mode=auto fit-frames=4 input-size=128 bank-location=" + location);
  auto busy = std::make_unique<BusyEngine>();
  guint i = 0;
  for (; i < 3; ++i) h.push(i);
  h.reach_deadline();
  for (guint n = 0; n < 3; ++n) assert_text(state_of(h.pull()), "none");
  busy.reset();  // of the three the engine takes the newest
  for (std::string state; state != "scored";) {
    h.push(i++);
    state = state_of(h.pull());
    ck_assert_uint_lt(i, 10000);
  }
  ck_assert_uint_eq(frames_in(location), 4);
}
END_TEST

START_TEST(frames_that_were_on_their_way_at_a_reset_count_for_nothing) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank");
  ElementHarness h("mode=auto fit-frames=4 input-size=128 bank-location=" + location);
  auto busy = std::make_unique<BusyEngine>();
  for (guint i = 0; i < 3; ++i) h.push(i);
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "reset", &accepted);
  ck_assert(accepted);
  wait_for_message(h.bus(), "patchcore-done");
  busy.reset();
  for (guint i = 3; i < 7; ++i) h.push(i);
  assert_text(states(h, 7), "lllllll");  // three for the fit that is gone
  h.push(7);
  assert_text(state_of(h.pull()), "scored");
  ck_assert_uint_eq(frames_in(location), 4);
}
END_TEST

START_TEST(frames_of_a_live_stream_pass_while_the_bank_is_built) {
  TemporaryFolder folder;
  // On a clock that stands no frame is late within an hour, however slow the machine.
  ElementHarness h(
      "mode=auto realtime=yes max-latency=3600000000000 fit-frames=4 input-size=128 "
      "bank-location=" +
      folder.file("bank"));
  HeldBuild build(h.bus());
  for (guint i = 0; i < 4; ++i) h.push(i);
  assert_text(states(h, 4), "llll");
  build.wait_for_begin();
  h.push(4);
  assert_text(state_of(h.pull()), "building");
}
END_TEST

START_TEST(latency_is_max_latency_in_every_mode_and_from_the_first_query_on) {
  TemporaryFolder folder;
  const std::string location = " max-latency=123000000 bank-location=" + folder.file("bank");
  ElementHarness fit("mode=auto fit-frames=4 input-size=128" + location);
  gst_harness_set_upstream_latency(fit.get(), 5 * GST_MSECOND);
  ck_assert_uint_eq(latency_of(fit), 128 * GST_MSECOND);
  for (guint i = 0; i < 6; ++i) fit.push(i);
  for (guint i = 0; i < 6; ++i) fit.pull();
  ck_assert_uint_eq(latency_of(fit), 128 * GST_MSECOND);
}
END_TEST

START_TEST(the_latency_that_upstream_can_bear_grows_too_and_without_a_limit_stays_so) {
  FittedBank bank;
  ElementHarness h(bank.detect + "max-latency=100000000");
  for (const GstClockTime max :
       {GstClockTime{40 * GST_MSECOND}, GstClockTime{GST_CLOCK_TIME_NONE}}) {
    GstClockTime upstream = max;
    const gulong id = gst_pad_add_probe(
        h.get()->srcpad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_UPSTREAM | GST_PAD_PROBE_TYPE_PUSH),
        [](GstPad*, GstPadProbeInfo* info, gpointer max) {
          GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
          if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return GST_PAD_PROBE_OK;
          gst_query_set_latency(query, TRUE, 20 * GST_MSECOND, *static_cast<GstClockTime*>(max));
          return GST_PAD_PROBE_HANDLED;
        },
        &upstream, nullptr);
    GstQuery* query = gst_query_new_latency();
    ck_assert(gst_pad_peer_query(h.get()->sinkpad, query));
    gboolean live;
    GstClockTime least, most;
    gst_query_parse_latency(query, &live, &least, &most);
    gst_query_unref(query);
    gst_pad_remove_probe(h.get()->srcpad, id);
    ck_assert(live);
    ck_assert_uint_eq(least, 120 * GST_MSECOND);
    ck_assert_uint_eq(most, GST_CLOCK_TIME_IS_VALID(max) ? 140 * GST_MSECOND : GST_CLOCK_TIME_NONE);
  }
}
END_TEST

START_TEST(before_there_is_a_clock_a_frame_waits_for_its_result) {
  FittedBank bank;
  ElementHarness h(bank.detect + "realtime=yes max-latency=1");
  gst_element_set_clock(h.element(), nullptr);
  h.push(0);
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

START_TEST(qos_events_go_on_upstream) {
  FittedBank bank;
  ElementHarness h(bank.detect + "realtime=yes");
  h.push(0);
  h.pull();
  gst_harness_push_upstream_event(
      h.get(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.5, 10 * GST_MSECOND, 0));
  bool passed = false;
  while (GstEvent* event = gst_harness_try_pull_upstream_event(h.get())) {
    passed = passed || GST_EVENT_TYPE(event) == GST_EVENT_QOS;
    gst_event_unref(event);
  }
  ck_assert(passed);
}
END_TEST

START_TEST(of_frames_that_downstream_calls_too_late_only_the_newest_is_inferred) {
  FittedBank bank;
  Hurry h(bank.detect);
  h.push(0);
  h.pull();
  auto busy = std::make_unique<BusyEngine>();
  // Everything before a second of running time comes too late.
  gst_harness_push_upstream_event(h.get(),
                                  gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND, 0));
  for (guint i = 1; i < 4; ++i) h.push(i);
  busy.reset();
  for (const char* state : {"stale", "stale", "scored"}) assert_text(state_of(h.pull()), state);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  register_linked_element();
  Suite* suite = suite_create("realtime");
  TCase* tests = tcase_create("realtime");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_frame_leaves_at_its_deadline_with_the_last_result_marked_stale);
  tcase_add_test(tests, an_element_that_is_started_again_keeps_to_the_clock_it_has);
  tcase_add_test(tests, a_frame_that_leaves_before_there_was_any_result_has_none);
  tcase_add_test(tests, a_result_that_comes_late_is_shown_with_the_frames_after_it);
  tcase_add_test(tests, a_result_that_comes_late_is_not_shown_on_another_picture_or_stream);
  tcase_add_test(tests, without_realtime_a_frame_waits_for_its_result);
  tcase_add_test(tests, realtime_auto_is_yes_where_upstream_is_live_and_else_no);
  tcase_add_test(tests, frames_in_a_hurry_are_not_dropped_and_keep_their_order);
  tcase_add_test(tests, frames_that_were_not_learned_in_time_are_replaced_by_later_ones);
  tcase_add_test(tests, frames_that_were_on_their_way_at_a_reset_count_for_nothing);
  tcase_add_test(tests, frames_of_a_live_stream_pass_while_the_bank_is_built);
  tcase_add_test(tests, latency_is_max_latency_in_every_mode_and_from_the_first_query_on);
  tcase_add_test(tests, the_latency_that_upstream_can_bear_grows_too_and_without_a_limit_stays_so);
  tcase_add_test(tests, before_there_is_a_clock_a_frame_waits_for_its_result);
  tcase_add_test(tests, qos_events_go_on_upstream);
  tcase_add_test(tests, of_frames_that_downstream_calls_too_late_only_the_newest_is_inferred);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
