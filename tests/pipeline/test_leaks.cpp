// SPDX-License-Identifier: LGPL-2.1-or-later
// GStreamer's tracer of leaks finds nothing once pipelines that did what an application does are
// gone. test_pipelines has the lines that gst-launch-1.0 can run.

#include <atomic>
#include <thread>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr gint64 kHang = 60 * G_TIME_SPAN_SECOND;

/// The objects, buffers, events and the like that were made since gst_init() and still are.
std::vector<std::string> alive() {
  GList* tracers = gst_tracing_get_active_tracers();
  ck_assert_uint_eq(g_list_length(tracers), 1);
  GstStructure* info = nullptr;
  g_signal_emit_by_name(tracers->data, "get-live-objects", &info);
  g_list_free_full(tracers, gst_object_unref);
  const GValue* list = gst_structure_get_value(info, "live-objects-list");
  std::vector<std::string> objects;
  for (guint i = 0; i < gst_value_list_get_size(list); ++i) {
    gchar* object = g_strdup_value_contents(gst_value_list_get_value(list, i));
    objects.emplace_back(object);
    g_free(object);
  }
  gst_structure_free(info);
  return objects;
}

/// Threads that were left to themselves may hold something for a moment. GStreamer's own, which let
/// go of their GstTask last, are waited for: the tracer gives out objects that are just being
/// freed.
void assert_nothing_is_alive() {
  gst_task_cleanup_all();
  const gint64 hang = g_get_monotonic_time() + kHang;
  while (!alive().empty() && g_get_monotonic_time() < hang) g_thread_yield();
  std::string objects;
  for (const std::string& object : alive()) objects += "\n" + object;
  ck_assert_msg(objects.empty(), "alive:%s", objects.c_str());
}

std::string frames(guint count, bool live = false) {
  return "videotestsrc pattern=ball num-buffers=" + std::to_string(count) +
         (live ? " is-live=true" : "") +
         " ! video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1 ! ";
}

/// A pipeline that plays, or loads, until this goes.
class Playing {
 public:
  explicit Playing(const std::string& line)
      : pipeline_(gst_parse_launch(line.c_str(), nullptr)), bus_(gst_element_get_bus(pipeline_)) {
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  }
  ~Playing() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
  }

  GstBus* bus() const { return bus_; }

  template <typename... Arguments>
  void emit(const char* signal, Arguments... arguments) const {
    GstElement* detector = gst_bin_get_by_name(GST_BIN(pipeline_), "d");
    gboolean accepted = FALSE;
    g_signal_emit_by_name(detector, signal, arguments..., &accepted);
    gst_object_unref(detector);
    ck_assert(accepted);
  }
  void set_bank(const std::string& location) const {
    GstElement* detector = gst_bin_get_by_name(GST_BIN(pipeline_), "d");
    g_object_set(detector, "bank-location", location.c_str(), nullptr);
    gst_object_unref(detector);
  }

 private:
  GstElement* pipeline_;
  GstBus* bus_;
};

}  // namespace

START_TEST(a_live_stream_with_all_that_is_put_on_frames_leaks_nothing) {
  {
    FittedBank bank;
    assert_text(
        run_pipeline(frames(30, /*live=*/true) + "patchcoredetect realtime=yes threshold=0 " +
                     "attach-map=true region-meta=roi overlay=heatmap alarm-frames=1 " +
                     bank.detect + "! fakesink"),
        "");
  }
  assert_nothing_is_alive();
}
END_TEST

START_TEST(frames_that_are_left_behind_by_a_stop_are_no_leak) {
  {
    FittedBank bank;
    for (const char* realtime : {"yes", "no"}) {
      Playing playing(frames(100000) + "patchcoredetect name=d realtime=" + realtime + " " +
                      bank.detect + "! fakesink");
      wait_for_message(playing.bus(), "patchcore");
    }
  }
  assert_nothing_is_alive();
}
END_TEST

START_TEST(another_bank_add_normal_and_reset_leak_nothing) {
  {
    FittedBank bank;
    const std::string other = bank.folder.file("other");
    fit_bank(other, 6);
    Playing playing(frames(100000) + "patchcoredetect name=d threshold=0 raw-threshold=0 " +
                    bank.detect + "! fakesink");
    wait_for_message(playing.bus(), "patchcore");
    playing.emit("save-bank", bank.folder.file("copy").c_str());
    wait_for_message(playing.bus(), "patchcore-done");
    playing.emit("add-normal", guint64{0}, GST_CLOCK_TIME_NONE);
    wait_for_message(playing.bus(), "patchcore-done");
    playing.set_bank(other);
    playing.set_bank(bank.folder.file("not-there"));
    playing.emit("reset");
    wait_for_message(playing.bus(), "patchcore-done");
    playing.set_bank(other);  // and stopped while that loads
  }
  assert_nothing_is_alive();
}
END_TEST

START_TEST(a_stop_while_the_bank_loads_leaks_nothing) {
  std::atomic<bool> gone{false};
  {
    FittedBank bank;
    GstElement* element =
        gst_parse_launch(("patchcoredetect batch-size=64 " + bank.detect).c_str(), nullptr);
    g_object_weak_ref(
        G_OBJECT(element),
        [](gpointer data, GObject*) { *static_cast<std::atomic<bool>*>(data) = true; }, &gone);
    GstBus* bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    std::thread opening([&] { gst_element_set_state(element, GST_STATE_PAUSED); });
    gst_message_unref(gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_PROGRESS));
    gst_element_set_state(element, GST_STATE_NULL);
    opening.join();
    gst_element_set_bus(element, nullptr);
    gst_object_unref(bus);
    gst_object_unref(element);
  }
  // The tracer can't be asked while the thread that was left alone frees the element: it would take
  // a reference.
  const gint64 hang = g_get_monotonic_time() + kHang;
  while (!gone && g_get_monotonic_time() < hang) g_thread_yield();
  assert_nothing_is_alive();
}
END_TEST

START_TEST(learning_and_then_scoring_in_one_stream_leaks_nothing) {
  {
    TemporaryFolder folder;
    assert_text(
        run_pipeline(frames(30) + "patchcoredetect mode=auto fit-frames=10 input-size=128 " +
                     "bank-location=" + folder.file("bank") + " ! fakesink"),
        "");
    ck_assert(folder.names() == std::vector<std::string>{"bank"});
  }
  assert_nothing_is_alive();
}
END_TEST

START_TEST(two_elements_that_share_an_engine_leak_nothing) {
  {
    FittedBank bank;
    const Playing lasting(frames(100000) + "patchcoredetect " + bank.detect + "! fakesink");
    assert_text(run_pipeline(frames(30) + "patchcoredetect " + bank.detect + "! fakesink"), "");
  }
  assert_nothing_is_alive();
}
END_TEST

START_TEST(an_error_leaks_nothing) {
  {
    FittedBank bank;
    write_file(bank.location, "no bank");
    ck_assert(run_pipeline(frames(30) + "patchcoredetect " + bank.detect + "! fakesink") != "");
    FittedBank good;
    ck_assert(run_pipeline(frames(30) + "patchcoredetect " + good.detect +
                           "! identity error-after=3 ! fakesink") != "");
  }
  assert_nothing_is_alive();
}
END_TEST

int main(int argc, char** argv) {
  g_setenv("GST_TRACERS", "leaks", TRUE);
  gst_init(&argc, &argv);
  Suite* suite = suite_create("leaks");
  TCase* tests = tcase_create("leaks");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, a_live_stream_with_all_that_is_put_on_frames_leaks_nothing);
  tcase_add_test(tests, frames_that_are_left_behind_by_a_stop_are_no_leak);
  tcase_add_test(tests, another_bank_add_normal_and_reset_leak_nothing);
  tcase_add_test(tests, a_stop_while_the_bank_loads_leaks_nothing);
  tcase_add_test(tests, learning_and_then_scoring_in_one_stream_leaks_nothing);
  tcase_add_test(tests, two_elements_that_share_an_engine_leak_nothing);
  tcase_add_test(tests, an_error_leaks_nothing);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
