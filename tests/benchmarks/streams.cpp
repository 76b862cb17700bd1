// SPDX-License-Identifier: LGPL-2.1-or-later
// What patchcoredetect adds to 1, 4 and 8 streams of 720p in one process, with the built-in
// network: `meson test -C build --benchmark streams -v`, or this program with a number of bank
// rows.
//
// As fast as they come (realtime=no): frames a second of all streams, and how far they stay behind
// what inference alone does with full batches and the machine to itself, measured before and after
// each: that is what conversion, resize, metadata, locks and the threads in each other's way cost.
// Live at 5 frames a second each: what the element adds to a frame's way, and how many were stale.

#include <gst/gst.h>
#include <patchcore.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "../files.hpp"

namespace {

constexpr guint kFramesALive = 50, kFramesATime = 240;
constexpr int kRounds = 5;

/// When each frame came to the element and left it, by its PTS.
struct Times {
  std::mutex mutex;
  std::map<GstClockTime, gint64> arrived;
  std::vector<double> added;  ///< ms
};

GstPadProbeReturn arrive(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* times = static_cast<Times*>(data);
  std::lock_guard lock(times->mutex);
  times->arrived[GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info))] = g_get_monotonic_time();
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn leave(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* times = static_cast<Times*>(data);
  std::lock_guard lock(times->mutex);
  const gint64 arrived = times->arrived[GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info))];
  times->added.push_back(static_cast<double>(g_get_monotonic_time() - arrived) / 1000);
  return GST_PAD_PROBE_OK;
}

void probe(GstElement* element, const char* pad_name, GstPadProbeCallback callback, Times* times) {
  GstPad* pad = gst_element_get_static_pad(element, pad_name);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, times, nullptr);
  gst_object_unref(pad);
}

void fail_on_error(GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return;
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  std::fprintf(stderr, "%s\n", error->message);
  std::exit(1);
}

/// Lets a pipeline that is PAUSED run to its end. Seconds.
double run(GstElement* pipeline) {
  GstBus* bus = gst_element_get_bus(pipeline);
  const gint64 start = g_get_monotonic_time();
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  const auto types = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  GstMessage* message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, types);
  const gint64 end = g_get_monotonic_time();
  fail_on_error(message);
  gst_message_unref(message);
  gst_object_unref(bus);
  return static_cast<double>(end - start) / G_USEC_PER_SEC;
}

/// All is loaded and the first frames have been through.
void preroll(GstElement* pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PAUSED);
  gst_element_get_state(pipeline, nullptr, nullptr, GST_CLOCK_TIME_NONE);
}

GstElement* launch(const std::string& line) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(line.c_str(), &error);
  if (error) {
    std::fprintf(stderr, "%s\n", error->message);
    std::exit(1);
  }
  return pipeline;
}

constexpr guint kWidth = 1280, kHeight = 720;

/// One picture again and again, so that the source takes no part of the machine.
std::string camera(guint frames, bool live) {
  return "videotestsrc pattern=ball num-buffers=1 ! video/x-raw,format=I420,width=" +
         std::to_string(kWidth) + ",height=" + std::to_string(kHeight) +
         ",framerate=5/1 ! imagefreeze num-buffers=" + std::to_string(frames) +
         (live ? " is-live=true" : "") + " ! video/x-raw,framerate=5/1 ! ";
}

/// Inference without a pipeline around it, in full batches.
class Alone {
 public:
  explicit Alone(const std::string& location) {
    PatchcoreBank* bank = check(patchcore_bank_load(location.c_str(), nullptr, &error_));
    backbone_ = check(patchcore_backbone_get_for_bank(bank, nullptr, nullptr, nullptr, &error_));
    detector_ = check(patchcore_detector_new(backbone_, bank, nullptr, &error_));
    patchcore_bank_unref(bank);
    const auto* preprocess = patchcore_detector_get_preprocess(detector_);
    check(patchcore_preprocess_get_geometry(preprocess, kWidth, kHeight, &geometry_, &error_));
    pixels_.assign(size_t{3} * geometry_.width * geometry_.height, 128);
    frames_a_second();  // the first one allocates
  }
  ~Alone() {
    patchcore_detector_unref(detector_);
    patchcore_backbone_unref(backbone_);
  }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

  const PatchcoreGeometry& input() const { return geometry_; }

  double frames_a_second() {
    constexpr guint kBatch = 8, kBatches = 12;
    const gint64 start = g_get_monotonic_time();
    for (guint i = 0; i < kBatches; ++i) {
      std::vector<PatchcoreRequest> requests(kBatch);
      for (auto& request : requests) {
        request.rgb = pixels_.data();
        request.detector = detector_;
      }
      check(patchcore_infer(backbone_, geometry_.width, geometry_.height, requests.data(), kBatch,
                            &error_));
      for (auto& request : requests) patchcore_result_clear(&request.result);
    }
    return kBatch * kBatches * static_cast<double>(G_USEC_PER_SEC) /
           static_cast<double>(g_get_monotonic_time() - start);
  }

 private:
  template <typename T>
  T check(T result) {
    if (result) return result;
    std::fprintf(stderr, "%s\n", error_->message);
    std::exit(1);
  }

  GError* error_ = nullptr;
  PatchcoreBackbone* backbone_;
  PatchcoreDetector* detector_;
  PatchcoreGeometry geometry_{};
  std::vector<guint8> pixels_;
};

struct Outcome {
  double seconds = 0;
  guint64 frames = 0, stale = 0;
  std::vector<double> added;
};

/// Adds what the elements' statistics say, `sign` times.
void add_stats(const std::vector<GstElement*>& detectors, int sign, Outcome* outcome) {
  for (GstElement* detector : detectors) {
    GstStructure* stats = nullptr;
    g_object_get(detector, "stats", &stats, nullptr);
    guint64 frames = 0, stale = 0;
    gst_structure_get(stats, "frames", G_TYPE_UINT64, &frames, "stale", G_TYPE_UINT64, &stale,
                      nullptr);
    gst_structure_free(stats);
    outcome->frames += sign * frames;
    outcome->stale += sign * stale;
  }
}

Outcome measure(const std::string& bank, guint streams, guint frames, bool live) {
  std::string line;
  for (guint i = 0; i < streams; ++i)
    line += camera(frames, live) + "patchcoredetect post-messages=false bank-location=" + bank +
            " name=d" + std::to_string(i) + " ! fakesink sync=false ";
  GstElement* pipeline = launch(line);
  std::vector<Times> times(streams);
  std::vector<GstElement*> detectors;
  for (guint i = 0; i < streams; ++i) {
    detectors.push_back(gst_bin_get_by_name(GST_BIN(pipeline), ("d" + std::to_string(i)).c_str()));
    probe(detectors[i], "sink", arrive, &times[i]);
    probe(detectors[i], "src", leave, &times[i]);
  }
  Outcome outcome;
  preroll(pipeline);
  add_stats(detectors, -1, &outcome);
  outcome.seconds = run(pipeline);
  add_stats(detectors, 1, &outcome);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  for (GstElement* detector : detectors) gst_object_unref(detector);
  gst_object_unref(pipeline);
  for (const Times& one : times)
    outcome.added.insert(outcome.added.end(), one.added.begin(), one.added.end());
  std::sort(outcome.added.begin(), outcome.added.end());
  return outcome;
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const std::string rows = argc > 1 ? argv[1] : "2000";
  TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  const std::string moving =
      "videotestsrc pattern=ball num-buffers=40 ! video/x-raw,format=I420,width=" +
      std::to_string(kWidth) + ",height=" + std::to_string(kHeight) + " ! ";
  GstElement* fit = launch(moving + "patchcoredetect mode=fit max-bank-size=" + rows +
                           " bank-location=" + bank + " ! fakesink");
  preroll(fit);
  run(fit);
  gst_element_set_state(fit, GST_STATE_NULL);
  gst_object_unref(fit);

  Alone alone(bank);
  std::printf("built-in network, %ux%u I420, input %ux%u, bank of %s rows, %u threads\n\n", kWidth,
              kHeight, alone.input().width, alone.input().height, rows.c_str(),
              g_get_num_processors());
  std::printf(
      "| streams | frames/s | inference alone | outside inference | live: frames/s | added, median "
      "| "
      "99th | stale |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const guint streams : {1u, 4u, 8u}) {
    // In turn, since the machine's pace changes.
    std::vector<double> inference, together;
    for (int round = 0; round < kRounds; ++round) {
      inference.push_back(alone.frames_a_second());
      const Outcome fast = measure(bank, streams, kFramesATime / streams, false);
      together.push_back(static_cast<double>(fast.frames) / fast.seconds);
    }
    std::sort(inference.begin(), inference.end());
    std::sort(together.begin(), together.end());
    const double alone_rate = quantile(inference, 0.5), rate = quantile(together, 0.5);
    const Outcome live = measure(bank, streams, kFramesALive, true);
    std::printf("| %u | %.1f | %.1f | %.1f %% | %.1f | %.0f ms | %.0f ms | %.1f %% |\n", streams,
                rate, alone_rate, 100 * (1 - rate / alone_rate),
                static_cast<double>(live.frames) / live.seconds, quantile(live.added, 0.5),
                quantile(live.added, 0.99),
                100 * static_cast<double>(live.stale) / static_cast<double>(live.frames));
    std::fflush(stdout);
  }
}
