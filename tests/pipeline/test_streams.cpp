// SPDX-License-Identifier: LGPL-2.1-or-later
// Many streams in one process share an engine: each gets what it would get alone, and none notices
// what befalls another.

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

/// What left a stream: for each PTS what was said of the frame.
struct Left {
  GstClockTime pts;
  std::string state;
  double score;
  int width;  ///< by its caps
};

double score_or_nan(const GstStructure* result) {
  double score = NAN;
  gst_structure_get_double(result, "score", &score);
  return score;
}

int width_of(const GstCaps* caps) {
  int width = 0;
  ck_assert(gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width));
  return width;
}

/// A pipeline whose last element is an appsink named "out".
class Pipeline {
 public:
  explicit Pipeline(const std::string& line)
      : pipeline_(gst_parse_launch(line.c_str(), nullptr)), bus_(gst_element_get_bus(pipeline_)) {}
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
  }

  GstElement* get() const { return pipeline_; }
  void set_state(GstState state) { gst_element_set_state(pipeline_, state); }

  /// The next frame that comes out; ends the test where none comes within two minutes.
  Left pull(const char* sink = "out") {
    GstElement* out = gst_bin_get_by_name(GST_BIN(pipeline_), sink);
    GstSample* sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), 120 * GST_SECOND);
    gst_object_unref(out);
    ck_assert_ptr_nonnull(sample);
    GstBuffer* buffer = gst_sample_get_buffer(sample);
    const GstStructure* result = gst_patchcore_meta_get_result(buffer, 0);
    ck_assert_ptr_nonnull(result);
    const Left left{GST_BUFFER_PTS(buffer), text(result, "state"), score_or_nan(result),
                    width_of(gst_sample_get_caps(sample))};
    gst_sample_unref(sample);
    return left;
  }

  std::vector<Left> pull(guint frames, const char* sink = "out") {
    std::vector<Left> all;
    for (guint i = 0; i < frames; ++i) all.push_back(pull(sink));
    return all;
  }

  /// The first error, or an empty string at EOS.
  std::string end() {
    const auto types = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    GstMessage* message = gst_bus_timed_pop_filtered(bus_, 120 * GST_SECOND, types);
    ck_assert_ptr_nonnull(message);
    std::string said;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      GError* error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      said = error->message;
      g_error_free(error);
    }
    gst_message_unref(message);
    return said;
  }

 private:
  GstElement* pipeline_;
  GstBus* bus_;
};

constexpr const char* kOut = " ! appsink sync=false name=";

/// A camera: 720p at 5 frames a second, each with a picture of its own.
std::string camera(guint number, guint frames, bool live) {
  return "videotestsrc pattern=ball " + std::string(live ? "is-live=true " : "") +
         "num-buffers=" + std::to_string(frames) + " animation-mode=frames foreground-color=" +
         std::to_string(0xff404040u + 1234567 * number) +
         " ! video/x-raw,format=I420,width=1280,height=720,framerate=5/1";
}

/// A bank of such pictures that two cores can score forty frames a second with.
std::string fit_camera_bank(const TemporaryFolder& folder) {
  const std::string location = folder.file("bank");
  assert_text(run_pipeline(camera(0, 20, false) +
                           " ! patchcoredetect mode=fit max-bank-size=1000 bank-location=" +
                           location + " ! fakesink"),
              "");
  return location;
}

std::string detector(const std::string& bank, const std::string& more = "") {
  return " ! patchcoredetect post-messages=false bank-location=" + bank + " " + more;
}

std::string small_frames(guint frames) {
  return "videotestsrc pattern=ball num-buffers=" + std::to_string(frames) +
         " ! video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1";
}

/// Counts the buffers that pass a pad of a pipeline's element "d".
class Passing {
 public:
  Passing(const Pipeline& pipeline, const char* pad_name) {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline.get()), "d");
    GstPad* pad = gst_element_get_static_pad(element, pad_name);
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
          ++**static_cast<Count*>(count);
          return GST_PAD_PROBE_OK;
        },
        new Count(count_), [](gpointer count) { delete static_cast<Count*>(count); });
    gst_object_unref(pad);
    gst_object_unref(element);
  }
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;

  guint count() const { return *count_; }
  void wait_for(guint buffers) const {
    while (*count_ < buffers) g_thread_yield();
  }

 private:
  using Count = std::shared_ptr<std::atomic<guint>>;
  const Count count_ = std::make_shared<std::atomic<guint>>(0);  ///< the pipeline may outlive this
};

/// A stream of twenty frames that waits for whoever pulls them.
Pipeline patient(const FittedBank& bank) {
  return Pipeline(small_frames(20) + detector(bank.location) +
                  " ! appsink sync=false max-buffers=1 name=out");
}

void ends_as_if_alone(Pipeline& one, guint left_to_pull) {
  for (const Left& left : one.pull(left_to_pull)) assert_text(left.state, "scored");
  assert_text(one.end(), "");
}

}  // namespace

START_TEST(eight_live_cameras_get_what_each_gets_alone_in_order_and_whole) {
  constexpr guint kCameras = 8, kFrames = 15;
  TemporaryFolder folder;
  const std::string bank = fit_camera_bank(folder);
  std::string line;
  for (guint c = 0; c < kCameras; ++c)
    // realtime=no: on a machine that is too slow frames wait, so that all of them can be compared.
    line += camera(c, kFrames, true) + detector(bank, "realtime=no") + kOut + "out" +
            std::to_string(c) + " ";
  Pipeline together(line);
  std::set<double> scores;
  together.set_state(GST_STATE_PLAYING);
  for (guint c = 0; c < kCameras; ++c) {
    const auto left = together.pull(kFrames, ("out" + std::to_string(c)).c_str());
    Pipeline alone(camera(c, kFrames, false) + detector(bank, "batch-size=1") + kOut + "out");
    alone.set_state(GST_STATE_PLAYING);
    const auto expected = alone.pull(kFrames);
    for (guint i = 0; i < kFrames; ++i) {
      ck_assert(i == 0 || left[i].pts > left[i - 1].pts);
      assert_text(left[i].state, "scored");
      ck_assert_double_eq_tol(left[i].score, expected[i].score, 1e-5 * expected[i].score);
      scores.insert(left[i].score);
    }
  }
  assert_text(together.end(), "");
  ck_assert_uint_gt(scores.size(), kCameras * kFrames / 2);  // mixed up they would not be equal
}
END_TEST

START_TEST(a_paused_sink_holds_up_nobody_else) {
  FittedBank bank;
  Pipeline paused(small_frames(1000) + detector(bank.location, "name=d batch-size=2 max-queued=4") +
                  " ! appsink sync=false max-buffers=1 name=out");
  const Passing in(paused, "sink"), out(paused, "src");
  paused.set_state(GST_STATE_PLAYING);
  // One in the sink, one on its way to it, four held, one that waits in chain: it is full.
  in.wait_for(7);
  Pipeline one = patient(bank);
  one.set_state(GST_STATE_PLAYING);
  ends_as_if_alone(one, 20);
  ck_assert_uint_le(out.count(), 2);
}
END_TEST

START_TEST(a_camera_that_stalls_holds_up_nobody_else) {
  FittedBank bank;
  Pipeline stalled(
      "appsrc name=camera is-live=true format=time caps=video/x-raw,format=GRAY8,"
      "width=128,height=128,framerate=25/1" +
      detector(bank.location) + kOut + "out");
  GstElement* camera = gst_bin_get_by_name(GST_BIN(stalled.get()), "camera");
  const auto shoot = [&](guint index) {
    gst_app_src_push_buffer(GST_APP_SRC(camera), make_frame(index, false));
  };
  stalled.set_state(GST_STATE_PLAYING);
  for (guint i = 0; i < 3; ++i) shoot(i);
  stalled.pull(3);
  Pipeline one = patient(bank);
  one.set_state(GST_STATE_PLAYING);
  ends_as_if_alone(one, 20);
  shoot(100);  // and it goes on
  ck_assert_uint_eq(stalled.pull().pts, 4 * GST_SECOND);
  gst_object_unref(camera);
}
END_TEST

START_TEST(a_stream_that_fails_downstream_takes_nobody_with_it) {
  FittedBank bank;
  Pipeline one = patient(bank);
  one.set_state(GST_STATE_PLAYING);
  one.pull();
  Pipeline failing(small_frames(1000) + detector(bank.location) +
                   " ! identity error-after=3 ! fakesink");
  failing.set_state(GST_STATE_PLAYING);
  ck_assert(failing.end() != "");
  ends_as_if_alone(one, 19);
}
END_TEST

START_TEST(streams_come_and_go_beside_one_that_goes_on) {
  FittedBank bank;
  Pipeline lasting(small_frames(200) + detector(bank.location) + kOut + "out");
  lasting.set_state(GST_STATE_PLAYING);
  for (guint round = 0; round < 10; ++round) {
    Pipeline passing(small_frames(1000) + detector(bank.location) + kOut + "out");
    passing.set_state(GST_STATE_PLAYING);
    passing.pull();
  }
  GstClockTime before = 0;
  for (const Left& left : lasting.pull(200)) {
    ck_assert(left.pts == 0 || left.pts > before);
    before = left.pts;
    assert_text(left.state, "scored");
  }
}
END_TEST

namespace {

/// Frames a second of such a source that this machine can score.
double capacity(const std::string& source, const std::string& bank) {
  constexpr guint kFirst = 5, kMeasured = 20;
  Pipeline calm("videotestsrc num-buffers=" + std::to_string(kFirst + kMeasured) + source +
                ",framerate=30/1" + detector(bank, "batch-size=2") + kOut + "out");
  calm.set_state(GST_STATE_PLAYING);
  calm.pull(kFirst);
  const gint64 start = g_get_monotonic_time();
  calm.pull(kMeasured);
  return static_cast<double>(kMeasured) * G_USEC_PER_SEC /
         static_cast<double>(g_get_monotonic_time() - start);
}

}  // namespace

START_TEST(an_overloaded_live_stream_keeps_every_frame_and_marks_what_is_stale) {
  TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  const std::string source = " ! video/x-raw,format=GRAY8,width=320,height=240";
  assert_text(run_pipeline("videotestsrc num-buffers=3" + source +
                           ",framerate=30/1 ! patchcoredetect mode=fit input-size=640 "
                           "coreset-ratio=0.01 bank-location=" +
                           bank + " ! fakesink"),
              "");
  const double can_do = capacity(source, bank);
  const guint rate = static_cast<guint>(3 * can_do) + 1, frames = 4 * rate;
  const guint latency = static_cast<guint>(4000 / can_do);  // ms, of four frames
  Pipeline overloaded(
      "videotestsrc is-live=true num-buffers=" + std::to_string(frames) + source +
      ",framerate=" + std::to_string(rate) + "/1" +
      detector(bank, "batch-size=2 name=d max-latency=" + std::to_string(latency) + "000000") +
      kOut + "out");
  const Passing in(overloaded, "sink"), out(overloaded, "src");
  overloaded.set_state(GST_STATE_PLAYING);
  std::map<std::string, guint> states;
  GstClockTime next = 0;
  for (guint i = 0; i < frames; ++i) {
    const Left left = overloaded.pull();
    ck_assert(left.pts >= next);
    next = left.pts + 1;
    ++states[left.state];
    ck_assert(left.state == "none" || !std::isnan(left.score));
    // What max-latency and a batch allow, one that waits in chain, and one that left meanwhile.
    const guint gone = out.count();
    ck_assert_uint_le(in.count(), gone + (latency * rate + 999) / 1000 + 2 + 2);
  }
  assert_text(overloaded.end(), "");
  ck_assert_uint_eq(states["scored"] + states["stale"] + states["none"], frames);
  // A third can be scored. Whatever the machine did meanwhile: some were, and not nearly all.
  ck_assert_uint_gt(states["scored"], 0);
  ck_assert_uint_gt(states["stale"], frames / 4);
}
END_TEST

START_TEST(downstream_may_ask_for_another_size_while_frames_pass) {
  FittedBank bank;
  Pipeline asked("videotestsrc pattern=ball" + detector(bank.location, "max-queued=4") +
                 " ! capsfilter name=f caps=video/x-raw,format=GRAY8,width=128,height=128"
                 " ! appsink sync=false max-buffers=1 name=out");
  asked.set_state(GST_STATE_PLAYING);
  ck_assert_int_eq(asked.pull().width, 128);
  GstElement* filter = gst_bin_get_by_name(GST_BIN(asked.get()), "f");
  gst_util_set_object_arg(G_OBJECT(filter), "caps", "video/x-raw,format=GRAY8,width=96,height=64");
  gst_object_unref(filter);
  // Those of the old size that are on their way come first.
  guint old = 0;
  Left left = asked.pull();
  for (; left.width == 128 && old < 20; ++old) left = asked.pull();
  ck_assert_int_eq(left.width, 96);
  assert_text(left.state, "scored");
}
END_TEST

START_TEST(no_more_frames_are_held_than_max_queued) {
  FittedBank bank;
  Pipeline full(small_frames(1000) + detector(bank.location, "name=d max-queued=5") +
                " ! appsink sync=false max-buffers=1 name=out");
  const Passing in(full, "sink");
  full.set_state(GST_STATE_PLAYING);
  for (guint taken = 1; taken <= 30; ++taken) {
    full.pull();
    // Taken, one in the sink, one on its way to it, five held, one that waits in chain.
    ck_assert_uint_le(in.count(), taken + 8);
  }
}
END_TEST

namespace {

/// This process's threads of a name. Those that a library starts in a thread have its name.
guint threads_named(const std::string& name) {
  guint count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string its;
    std::getline(std::ifstream(task.path() / "comm"), its);
    count += its == name;
  }
  return count;
}

}  // namespace

START_TEST(frames_are_prepared_by_the_thread_that_brings_them_alone) {
  g_setenv("OMP_NUM_THREADS", "4", /*overwrite=*/TRUE);  // before LibTorch is there
  FittedBank bank;
  for (const char* format : {"GRAY8", "NV12", "P010_10LE", "RGBA64_LE"}) {
    const std::string name = std::string("of") + format;  // a thread that waits for work keeps it
    Pipeline camera("videotestsrc name=" + name +
                    " ! video/x-raw,width=640,height=480,format=" + format +
                    detector(bank.location) + " ! appsink sync=false max-buffers=1 name=out");
    camera.set_state(GST_STATE_PLAYING);
    camera.pull(10);
    ck_assert_uint_eq(threads_named((name + ":src").substr(0, 15)), 1);
  }
}
END_TEST

START_TEST(a_pool_of_four_does_not_run_dry_while_eight_frames_are_held) {
  FittedBank bank;
  // Downstream offers a pool of four buffers, and lets nothing go before it has eight.
  Pipeline pooled("videotestsrc num-buffers=60 ! video/x-raw,format=GRAY8,width=128,height=128" +
                  detector(bank.location, "name=d max-queued=8") +
                  " ! queue max-size-buffers=8 min-threshold-buffers=8 max-size-time=0 "
                  "max-size-bytes=0 name=q" +
                  kOut + "out");
  GstElement* queue = gst_bin_get_by_name(GST_BIN(pooled.get()), "q");
  GstPad* pad = gst_element_get_static_pad(queue, "sink");
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH),
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
        if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
        GstCaps* caps;
        gst_query_parse_allocation(query, &caps, nullptr);
        GstBufferPool* pool = gst_video_buffer_pool_new();
        GstStructure* config = gst_buffer_pool_get_config(pool);
        gst_buffer_pool_config_set_params(config, caps, 128 * 128, 4, 4);
        gst_buffer_pool_set_config(pool, config);
        gst_query_add_allocation_pool(query, pool, 128 * 128, 4, 4);
        gst_object_unref(pool);
        return GST_PAD_PROBE_HANDLED;
      },
      nullptr, nullptr);
  gst_object_unref(pad);
  gst_object_unref(queue);
  pooled.set_state(GST_STATE_PLAYING);
  ck_assert_uint_eq(pooled.pull(60).size(), 60);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("streams");
  TCase* tests = tcase_create("streams");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, eight_live_cameras_get_what_each_gets_alone_in_order_and_whole);
  tcase_add_test(tests, a_paused_sink_holds_up_nobody_else);
  tcase_add_test(tests, a_camera_that_stalls_holds_up_nobody_else);
  tcase_add_test(tests, a_stream_that_fails_downstream_takes_nobody_with_it);
  tcase_add_test(tests, streams_come_and_go_beside_one_that_goes_on);
  tcase_add_test(tests, an_overloaded_live_stream_keeps_every_frame_and_marks_what_is_stale);
  tcase_add_test(tests, downstream_may_ask_for_another_size_while_frames_pass);
  tcase_add_test(tests, no_more_frames_are_held_than_max_queued);
  tcase_add_test(tests, frames_are_prepared_by_the_thread_that_brings_them_alone);
  tcase_add_test(tests, a_pool_of_four_does_not_run_dry_while_eight_frames_are_held);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
