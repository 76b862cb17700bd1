// SPDX-License-Identifier: LGPL-2.1-or-later
// How the element behaves among others: events, queries, caps and segments in mid-stream, and what
// happens downstream while a batch is in flight.

#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <thread>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "linked_element.hpp"

using namespace gstpatchcore;

namespace {

/// Everything that leaves, in order: "caps", "segment", "gap", "frame".
class Order {
 public:
  explicit Order(ElementHarness& h) : pad_(gst_pad_get_peer(h.get()->sinkpad)) {
    id_ = gst_pad_add_probe(
        pad_,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          auto* order = static_cast<Order*>(data);
          const std::string what = GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER
                                       ? "frame"
                                       : GST_EVENT_TYPE_NAME(GST_PAD_PROBE_INFO_EVENT(info));
          order->seen_ += order->seen_.empty() ? what : " " + what;
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  ~Order() {
    gst_pad_remove_probe(pad_, id_);
    gst_object_unref(pad_);
  }
  /// Only when all of it has left.
  const std::string& seen() const { return seen_; }

 private:
  GstPad* pad_;
  gulong id_;
  std::string seen_;
};

bool has_upstream_event(ElementHarness& h, GstEventType type) {
  bool found = false;
  while (GstEvent* event = gst_harness_try_pull_upstream_event(h.get())) {
    found = found || GST_EVENT_TYPE(event) == type;
    gst_event_unref(event);
  }
  return found;
}

struct Pool {
  guint size, min, max;
};

/// What the element answers where downstream offers `offered`, or nothing.
std::vector<Pool> allocation(ElementHarness& h, const Pool* offered) {
  GstPad* downstream = h.get()->sinkpad;
  const gulong id = gst_pad_add_probe(
      downstream,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH),
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
        if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
        if (const auto* pool = static_cast<const Pool*>(data))
          gst_query_add_allocation_pool(query, nullptr, pool->size, pool->min, pool->max);
        gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
        return GST_PAD_PROBE_HANDLED;
      },
      const_cast<Pool*>(offered), nullptr);
  GstCaps* caps =
      gst_caps_from_string("video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1");
  GstQuery* query = gst_query_new_allocation(caps, TRUE);
  ck_assert(gst_pad_peer_query(h.get()->srcpad, query));
  std::vector<Pool> pools(gst_query_get_n_allocation_pools(query));
  for (guint i = 0; i < pools.size(); ++i)
    gst_query_parse_nth_allocation_pool(query, i, nullptr, &pools[i].size, &pools[i].min,
                                        &pools[i].max);
  ck_assert(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  gst_query_unref(query);
  gst_caps_unref(caps);
  gst_pad_remove_probe(downstream, id);
  return pools;
}

GstBuffer* blank_frame(gsize size, guint index) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
  gst_buffer_memset(buffer, 0, 128, size);
  GST_BUFFER_PTS(buffer) = index * kFrame;
  GST_BUFFER_DURATION(buffer) = kFrame;
  return buffer;
}

}  // namespace

START_TEST(events_keep_their_place_among_frames_that_wait) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(0);
  h.pull();
  Order order(h);
  {
    BusyEngine busy;
    h.push(1);
    push_event(h, gst_event_new_gap(2 * kFrame, kFrame));
    h.push(3);
    push_segment(h, 0);
    h.push(4);
    ck_assert(order.seen().empty());
  }
  for (int i = 0; i < 3; ++i) h.pull();
  h.end();
  assert_text(order.seen(), "frame gap frame segment frame eos");
}
END_TEST

START_TEST(a_serialized_query_waits_for_the_frames_before_it) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  auto busy = std::make_unique<BusyEngine>();
  h.push(0);
  std::atomic<bool> answered{false};
  std::thread asking([&] {
    GstQuery* query = gst_query_new_drain();
    gst_pad_peer_query(h.get()->srcpad, query);
    gst_query_unref(query);
    answered = true;
  });
  ck_assert(!answered);  // the frame before it can't leave
  busy.reset();
  asking.join();
  // It was answered behind the frame.
  GstBuffer* frame = gst_harness_try_pull(h.get());
  ck_assert_ptr_nonnull(frame);
  gst_buffer_unref(frame);
}
END_TEST

START_TEST(size_and_format_may_change_in_mid_stream_while_frames_are_in_flight) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  const struct {
    const char* caps;
    gsize size;
  } formats[] = {{"video/x-raw,format=RGB,width=64,height=48,framerate=25/1", 64 * 48 * 3},
                 {"video/x-raw,format=I420,width=320,height=64,framerate=25/1", 320 * 64 * 3 / 2},
                 {"video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1", 128 * 128}};
  guint index = 0;
  for (const auto& [caps, size] : formats) {
    gst_harness_set_src_caps_str(h.get(), caps);
    for (int i = 0; i < 3; ++i)
      ck_assert_int_eq(gst_harness_push(h.get(), blank_frame(size, index++)), GST_FLOW_OK);
  }
  for (guint i = 0; i < index; ++i) {
    const auto frame = h.pull();
    ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), i * kFrame);
    ck_assert_uint_eq(gst_buffer_get_size(frame.get()), formats[i / 3].size);
    assert_text(state_of(frame), "scored");
  }
}
END_TEST

START_TEST(a_stale_result_does_not_outlive_its_caps) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=0");
  trigger(h);
  h.push(0);
  h.push(1);
  gst_harness_set_src_caps_str(h.get(), "video/x-raw,format=RGB,width=64,height=48,framerate=25/1");
  gst_harness_push(h.get(), blank_frame(64 * 48 * 3, 2));
  for (const char* state : {"scored", "stale", "none"}) assert_text(state_of(h.pull()), state);
}
END_TEST

START_TEST(the_interval_begins_anew_with_caps_and_after_a_flush) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=1000");
  h.push(0);
  h.push(1);
  gst_harness_set_src_caps_str(h.get(), "video/x-raw,format=RGB,width=64,height=48,framerate=25/1");
  gst_harness_push(h.get(), blank_frame(64 * 48 * 3, 2));
  for (const char* state : {"scored", "stale", "scored"}) assert_text(state_of(h.pull()), state);
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h, 0);
  gst_harness_push(h.get(), blank_frame(64 * 48 * 3, 3));
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

START_TEST(times_in_messages_follow_a_segment_that_changes) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(10);
  // From here on PTS 10 frames is stream time 10 frames and running time 5 s later.
  push_segment(h, 10 * kFrame, 5 * GST_SECOND);
  h.push(10);
  for (const GstClockTime running : {10 * kFrame, GstClockTime{5 * GST_SECOND}}) {
    const auto message = wait_for_message(h.bus(), "patchcore");
    const GstStructure* s = gst_message_get_structure(message.get());
    ck_assert_uint_eq(whole_number(s, "running-time"), running);
    ck_assert_uint_eq(whole_number(s, "stream-time"), 10 * kFrame);
  }
}
END_TEST

START_TEST(a_reconfigure_event_goes_on_upstream) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  while (has_upstream_event(h, GST_EVENT_RECONFIGURE)) {
  }  // of the links that were made
  gst_harness_push_upstream_event(h.get(), gst_event_new_reconfigure());
  ck_assert(has_upstream_event(h, GST_EVENT_RECONFIGURE));
}
END_TEST

START_TEST(a_pool_that_downstream_offers_is_told_of_the_frames_held_here) {
  FittedBank bank;
  ElementHarness h(bank.detect + "max-queued=8");
  const Pool offered{128 * 128, 4, 4}, unbounded{128 * 128, 2, 0};
  auto pools = allocation(h, &offered);
  ck_assert_uint_eq(pools.size(), 1);
  ck_assert_uint_eq(pools[0].min, 4 + 8);
  ck_assert_uint_eq(pools[0].max, 4 + 8);
  pools = allocation(h, &unbounded);
  ck_assert_uint_eq(pools[0].min, 2 + 8);
  ck_assert_uint_eq(pools[0].max, 0);
}
END_TEST

START_TEST(where_downstream_offers_no_pool_upstream_is_told_all_the_same) {
  FittedBank bank;
  ElementHarness h(bank.detect + "max-queued=8");
  const auto pools = allocation(h, nullptr);
  ck_assert_uint_eq(pools.size(), 1);
  ck_assert_uint_eq(pools[0].size, 128 * 128);
  ck_assert_uint_eq(pools[0].min, 8);
}
END_TEST

START_TEST(in_realtime_as_many_frames_are_held_as_come_in_max_latency_and_a_batch) {
  FittedBank bank;
  // 100 ms at 25 frames a second are 2.5 frames.
  ElementHarness h(bank.detect + "realtime=yes max-latency=100000000 batch-size=4");
  const Pool offered{128 * 128, 1, 0};
  ck_assert_uint_eq(allocation(h, &offered)[0].min, 1 + 3 + 4);
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=GRAY8,width=128,height=128,framerate=500/1");
  ck_assert_uint_eq(allocation(h, &offered)[0].min, 1 + 50 + 4);
  // No camera has this rate: it is the unit of a clock, and 60 is taken.
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=GRAY8,width=128,height=128,framerate=90000/1");
  ck_assert_uint_eq(allocation(h, &offered)[0].min, 1 + 6 + 4);
}
END_TEST

START_TEST(eos_before_the_first_frame_passes) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.end();
  ck_assert_ptr_null(h.error().get());
}
END_TEST

START_TEST(a_flush_with_a_batch_in_flight_drops_it_and_the_stream_goes_on) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  auto busy = std::make_unique<BusyEngine>();
  for (guint i = 0; i < 4; ++i) h.push(i);
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h, 0);
  h.push(10);
  busy.reset();
  const auto frame = h.pull();
  ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), 10 * kFrame);
  assert_text(state_of(frame), "scored");
}
END_TEST

START_TEST(the_result_of_a_batch_that_was_flushed_is_shown_with_no_later_frame) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=0");
  BusyEngine busy;
  trigger(h);
  h.push(0, true);
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h, 0);
  busy.hold();  // what the engine had of it is done
  h.push(1);
  assert_text(state_of(h.pull()), "none");
}
END_TEST

START_TEST(downstream_that_stops_with_a_batch_in_flight_is_told_upstream) {
  for (const GstFlowReturn flow : {GST_FLOW_ERROR, GST_FLOW_EOS, GST_FLOW_NOT_LINKED}) {
    FittedBank bank;
    ElementHarness h(bank.detect);
    // The second frame meets a downstream that has had enough, while others are in flight.
    struct Downstream {
      GstFlowReturn flow;
      std::atomic<int> frames{0};
    } downstream{flow};
    GstPad* pad = gst_pad_get_peer(h.get()->sinkpad);
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          auto* d = static_cast<Downstream*>(data);
          if (++d->frames < 2) return GST_PAD_PROBE_OK;
          gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
          GST_PAD_PROBE_INFO_FLOW_RETURN(info) = d->flow;
          return GST_PAD_PROBE_HANDLED;
        },
        &downstream, nullptr);
    auto busy = std::make_unique<BusyEngine>();
    for (guint i = 0; i < 4; ++i) ck_assert_int_eq(h.push(i), GST_FLOW_OK);
    busy.reset();
    GstFlowReturn told = GST_FLOW_OK;
    for (guint i = 4; told == GST_FLOW_OK && i < 10000; ++i) {
      told = h.push(i);
      g_thread_yield();
    }
    ck_assert_int_eq(told, flow);
    gst_object_unref(pad);
  }
}
END_TEST

START_TEST(stopping_with_a_batch_in_flight_waits_for_nobody) {
  FittedBank bank;
  BusyEngine busy;
  ElementHarness h(bank.detect);
  for (guint i = 0; i < 4; ++i) h.push(i);
  // The engine stays held: this returns all the same.
  ck_assert_int_eq(gst_element_set_state(h.element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}
END_TEST

START_TEST(frames_without_a_time_pass_in_realtime_too) {
  FittedBank bank;
  ElementHarness h(bank.detect + "realtime=yes");
  GstBuffer* frame = make_frame(0, true);
  GST_BUFFER_PTS(frame) = GST_BUFFER_DTS(frame) = GST_BUFFER_DURATION(frame) = GST_CLOCK_TIME_NONE;
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  ck_assert(anomalous(h.pull()));
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  register_linked_element();
  Suite* suite = suite_create("manners");
  TCase* tests = tcase_create("manners");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, events_keep_their_place_among_frames_that_wait);
  tcase_add_test(tests, a_serialized_query_waits_for_the_frames_before_it);
  tcase_add_test(tests, size_and_format_may_change_in_mid_stream_while_frames_are_in_flight);
  tcase_add_test(tests, a_stale_result_does_not_outlive_its_caps);
  tcase_add_test(tests, the_interval_begins_anew_with_caps_and_after_a_flush);
  tcase_add_test(tests, times_in_messages_follow_a_segment_that_changes);
  tcase_add_test(tests, a_reconfigure_event_goes_on_upstream);
  tcase_add_test(tests, a_pool_that_downstream_offers_is_told_of_the_frames_held_here);
  tcase_add_test(tests, where_downstream_offers_no_pool_upstream_is_told_all_the_same);
  tcase_add_test(tests, in_realtime_as_many_frames_are_held_as_come_in_max_latency_and_a_batch);
  tcase_add_test(tests, eos_before_the_first_frame_passes);
  tcase_add_test(tests, a_flush_with_a_batch_in_flight_drops_it_and_the_stream_goes_on);
  tcase_add_test(tests, the_result_of_a_batch_that_was_flushed_is_shown_with_no_later_frame);
  tcase_add_test(tests, downstream_that_stops_with_a_batch_in_flight_is_told_upstream);
  tcase_add_test(tests, stopping_with_a_batch_in_flight_waits_for_nobody);
  tcase_add_test(tests, frames_without_a_time_pass_in_realtime_too);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
