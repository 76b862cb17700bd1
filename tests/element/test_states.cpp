// SPDX-License-Identifier: LGPL-2.1-or-later
// State changes and flushes at any moment: 500 cycles, each back in time, and 200 seeks.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <thread>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr gint64 kHang = 20 * G_TIME_SPAN_SECOND;

/// How long a change of state takes, in microseconds.
gint64 time_of_change(GstElement* element, GstState state) {
  const gint64 start = g_get_monotonic_time();
  gst_element_set_state(element, state);
  return g_get_monotonic_time() - start;
}

/// The promise is 200 ms, and a busy machine is no reason to fail: the times are told, and what
/// waits for something that doesn't come is found.
void tell_times(const char* what, std::vector<gint64> times) {
  std::sort(times.begin(), times.end());
  std::printf("# %s: median %.1f ms, largest %.1f ms\n", what,
              static_cast<double>(times[times.size() / 2]) / 1000,
              static_cast<double>(times.back()) / 1000);
  ck_assert_int_lt(times.back(), kHang);
}

GstElement* launch(const std::string& line) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(line.c_str(), &error);
  ck_assert_msg(pipeline && !error, "%s", error ? error->message : "no pipeline");
  return pipeline;
}

std::string camera(guint frames) {
  return "videotestsrc num-buffers=" + std::to_string(frames) +
         " pattern=ball ! video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1 ! ";
}

/// Waits for the message or ends the test.
void wait_for(GstBus* bus, GstMessageType type) {
  GstMessage* message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, type);
  ck_assert_ptr_nonnull(message);
  gst_message_unref(message);
}

/// A progress of this code has begun.
void wait_for_progress(GstBus* bus, const char* wanted) {
  for (bool found = false; !found;) {
    GstMessage* message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_PROGRESS);
    ck_assert_ptr_nonnull(message);
    gchar* code = nullptr;
    gst_message_parse_progress(message, nullptr, &code, nullptr);
    found = g_str_equal(code, wanted);
    g_free(code);
    gst_message_unref(message);
  }
}

/// Starts an element that is in no pipeline, and stops it when it has begun to load. result: of the
/// start, which fails unless loading was the faster one.
gint64 time_of_stop_while_loading(GstElement* element, GstStateChangeReturn* result = nullptr) {
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  GstStateChangeReturn started;
  std::thread opening([&] { started = gst_element_set_state(element, GST_STATE_PAUSED); });
  wait_for_progress(bus, "load");
  const gint64 time = time_of_change(element, GST_STATE_NULL);
  opening.join();
  if (result) *result = started;
  // Who stops it isn't told of an error.
  ck_assert_ptr_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
  GstState state;
  gst_element_get_state(element, &state, nullptr, 0);
  ck_assert_int_eq(state, GST_STATE_NULL);
  gst_element_set_bus(element, nullptr);
  gst_object_unref(bus);
  return time;
}

}  // namespace

START_TEST(five_hundred_stops_at_any_moment_while_it_loads_learns_builds_or_scores) {
  FittedBank bank;
  GstElement* scoring =
      launch(camera(100000) + "patchcoredetect post-messages=false " + bank.detect + "! fakesink");
  TemporaryFolder folder;
  GstElement* fitting = launch(camera(24) +
                               "patchcoredetect mode=fit coreset-ratio=1 input-size=128 "
                               "post-messages=false batch-size=2 bank-location=" +
                               folder.file("bank") + " ! fakesink");
  GstElement* loading = launch("patchcoredetect batch-size=2 " + bank.detect);
  std::map<const char*, std::vector<gint64>> times;
  for (guint i = 0; i < 500; ++i) {
    if (i % 5 == 0) {
      times["while it loads"].push_back(time_of_stop_while_loading(loading));
      continue;
    }
    const bool fit = i % 5 == 1;
    GstElement* pipeline = fit ? fitting : scoring;
    GstBus* bus = gst_element_get_bus(pipeline);
    gst_bus_set_flushing(bus, FALSE);
    ck_assert_int_ne(gst_element_set_state(pipeline, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    // Some are stopped at once, some when frames have passed, and some while the bank is built.
    if (fit && i % 2)
      wait_for_progress(bus, "build");
    else if (i % 3 == 0)
      gst_element_get_state(pipeline, nullptr, nullptr, 60 * GST_SECOND);
    const gint64 time = time_of_change(pipeline, i % 4 ? GST_STATE_READY : GST_STATE_NULL);
    times[fit ? i % 2 ? "while it builds" : "while it learns" : "while it scores"].push_back(time);
    ck_assert_ptr_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
    gst_object_unref(bus);
  }
  for (const auto& [what, all] : times) tell_times(what, all);
  ck_assert(folder.names().empty());
  for (GstElement* each : {scoring, fitting, loading}) {
    gst_element_set_state(each, GST_STATE_NULL);
    gst_object_unref(each);
  }
}
END_TEST

START_TEST(stopping_while_the_model_loads_does_not_wait_for_it) {
  // A batch of this size takes seconds to warm up with.
  TemporaryFolder folder;
  std::vector<gint64> times;
  for (guint i = 0; i < 3; ++i) {
    GstElement* element =
        launch("patchcoredetect mode=fit input-size=1024 batch-size=32 bank-location=" +
               folder.file("bank"));
    GstStateChangeReturn result = GST_STATE_CHANGE_SUCCESS;
    times.push_back(time_of_stop_while_loading(element, &result));
    ck_assert_int_eq(result, GST_STATE_CHANGE_FAILURE);
    gst_object_unref(element);
  }
  tell_times("stops while the model loads", times);
}
END_TEST

START_TEST(an_element_that_was_stopped_while_loading_can_be_started_again) {
  FittedBank bank;
  GstElement* element = launch("patchcoredetect batch-size=64 " + bank.detect);
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  std::thread opening([&] { gst_element_set_state(element, GST_STATE_PAUSED); });
  wait_for_progress(bus, "load");
  gst_element_set_state(element, GST_STATE_NULL);
  opening.join();
  ck_assert_int_ne(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element, GST_STATE_NULL);
  gst_element_set_bus(element, nullptr);
  gst_object_unref(bus);
  gst_object_unref(element);
}
END_TEST

START_TEST(two_hundred_seeks_while_playing_each_followed_by_frames_from_there) {
  FittedBank bank;
  GstElement* pipeline = launch(camera(100000) + "patchcoredetect post-messages=false " +
                                bank.detect + "! fakesink name=sink async=true");
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstPad* pad = gst_element_get_static_pad(sink, "sink");
  // What comes first after each flush.
  struct Seen {
    std::atomic<GstClockTime> first{GST_CLOCK_TIME_NONE};
    std::atomic<bool> fresh{true};
  } seen;
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_FLUSH),
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        auto* s = static_cast<Seen*>(data);
        if (!(GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER))
          s->fresh = true;
        else if (s->fresh.exchange(false))
          s->first = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
        return GST_PAD_PROBE_OK;
      },
      &seen, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  gst_element_get_state(pipeline, nullptr, nullptr, 60 * GST_SECOND);
  for (guint i = 0; i < 200; ++i) {
    const GstClockTime to = (i * 37 % 200) * GST_SECOND;
    ck_assert(gst_element_seek_simple(
        pipeline, GST_FORMAT_TIME,
        static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE), to));
    if (i % 4) continue;  // most of them at once, into the middle of the one before
    ck_assert_int_eq(gst_element_get_state(pipeline, nullptr, nullptr, 60 * GST_SECOND),
                     GST_STATE_CHANGE_SUCCESS);
    ck_assert_uint_eq(seen.first, to);
  }
  GstBus* bus = gst_element_get_bus(pipeline);
  ck_assert_ptr_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pad);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
}
END_TEST

START_TEST(seeking_back_while_learning_neither_hangs_nor_learns_less) {
  TemporaryFolder folder;
  GstElement* pipeline = launch(camera(60) +
                                "patchcoredetect mode=fit input-size=128 fit-frames=30 "
                                "bank-location=" +
                                folder.file("bank") + " ! fakesink");
  GstBus* bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < 20; ++i)
    gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0);
  wait_for(bus, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ck_assert(folder.names() == std::vector<std::string>{"bank"});
  // As the file's header has it.
  ck_assert_ptr_nonnull(strstr(read_file(folder.file("bank")).c_str() + 8, "\"frames\":\"30\""));
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("states");
  TCase* tests = tcase_create("states");
  tcase_set_timeout(tests, 280);
  tcase_add_test(tests, five_hundred_stops_at_any_moment_while_it_loads_learns_builds_or_scores);
  tcase_add_test(tests, stopping_while_the_model_loads_does_not_wait_for_it);
  tcase_add_test(tests, an_element_that_was_stopped_while_loading_can_be_started_again);
  tcase_add_test(tests, two_hundred_seeks_while_playing_each_followed_by_frames_from_there);
  tcase_add_test(tests, seeking_back_while_learning_neither_hangs_nor_learns_less);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
