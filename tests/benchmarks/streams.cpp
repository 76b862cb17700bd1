// SPDX-License-Identifier: LGPL-2.1-or-later
// What patchcoredetect adds to 1, 4 and 8 streams of 720p in one process, with the built-in
// network: `meson test -C build --benchmark streams -v`, or this program with a number of bank
// rows.
//
// As fast as they come (realtime=no): frames a second of all streams, and how far they stay behind
// what inference alone does with full batches and the machine to itself: that is what conversion,
// resize, metadata, locks and the threads in each other's way cost. Each run is compared with the
// mean of inference alone before and after it, since the machine's pace changes; medians, and of
// the share the quartiles besides.
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
constexpr guint kHeld = 16;  // frames of a stream at most, the default of max-queued
constexpr int kRounds = 9;

/// When each frame came to the element and left it, by its PTS.
struct Times {
  std::mutex mutex;
  std::map<GstClockTime, gint64> arrived;
  std::vector<double> added;  ///< ms
  std::vector<gint64> left;
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
  times->left.push_back(g_get_monotonic_time());
  times->added.push_back(static_cast<double>(times->left.back() - arrived) / 1000);
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

/// Lets a pipeline that is PAUSED run to its end.
void run(GstElement* pipeline) {
  GstBus* bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  const auto types = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  GstMessage* message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, types);
  fail_on_error(message);
  gst_message_unref(message);
  gst_object_unref(bus);
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
constexpr const char* kPicture = "videotestsrc pattern=ball num-buffers=1 ! ";

/// The picture of camera() at another size, RGB.
std::vector<guint8> picture(guint width, guint height) {
  GstElement* pipeline =
      launch(std::string(kPicture) + "video/x-raw,format=RGB,width=" + std::to_string(width) +
             ",height=" + std::to_string(height) + " ! fakesink name=end");
  run(pipeline);
  GstElement* end = gst_bin_get_by_name(GST_BIN(pipeline), "end");
  GstSample* sample = nullptr;
  g_object_get(end, "last-sample", &sample, nullptr);
  std::vector<guint8> pixels(size_t{3} * width * height);
  gst_buffer_extract(gst_sample_get_buffer(sample), 0, pixels.data(), pixels.size());
  gst_sample_unref(sample);
  gst_object_unref(end);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return pixels;
}

/// One picture again and again, so that the source takes no part of the machine.
std::string camera(guint frames, bool live) {
  return std::string(kPicture) + "video/x-raw,format=I420,width=" + std::to_string(kWidth) +
         ",height=" + std::to_string(kHeight) +
         ",framerate=5/1 ! imagefreeze num-buffers=" + std::to_string(frames) +
         (live ? " is-live=true" : "") + " ! video/x-raw,framerate=5/1 ! ";
}

/// Inference without a pipeline around it, in full batches.
class Alone {
 public:
  explicit Alone(const std::string& location) {
    PatchcoreBank* bank = check(patchcore_bank_load(location.c_str(), nullptr, nullptr, &error_));
    backbone_ = check(patchcore_backbone_get_for_bank(bank, nullptr, nullptr, nullptr, &error_));
    detector_ = check(patchcore_detector_new(backbone_, bank, nullptr, &error_));
    patchcore_bank_unref(bank);
    const auto* preprocess = patchcore_detector_get_preprocess(detector_);
    check(patchcore_preprocess_get_geometry(preprocess, kWidth, kHeight, 1, &geometry_, &error_));
    pixels_ = picture(geometry_.width, geometry_.height);
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
  double rate = 0;  ///< frames a second of all streams
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

/// Frames a second, without the first and the last frames: those are inferred before the pipeline
/// plays, these when no more are to be prepared.
double steady_rate(const std::vector<Times>& times) {
  std::vector<gint64> left;
  for (const Times& one : times) left.insert(left.end(), one.left.begin(), one.left.end());
  std::sort(left.begin(), left.end());
  const size_t first = kHeld * times.size(), last = left.size() - 1 - first;
  return static_cast<double>(last - first) * G_USEC_PER_SEC /
         static_cast<double>(left[last] - left[first]);
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
  run(pipeline);
  add_stats(detectors, 1, &outcome);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  for (GstElement* detector : detectors) gst_object_unref(detector);
  gst_object_unref(pipeline);
  outcome.rate = steady_rate(times);
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
    std::vector<double> alone_rates{alone.frames_a_second()}, rates, outside;
    for (int round = 0; round < kRounds; ++round) {
      const guint frames = kFramesATime / streams + 2 * kHeld;
      rates.push_back(measure(bank, streams, frames, false).rate);
      alone_rates.push_back(alone.frames_a_second());
      const double around = (alone_rates[round] + alone_rates[round + 1]) / 2;
      outside.push_back(100 * (1 - rates.back() / around));
    }
    for (auto* values : {&alone_rates, &rates, &outside}) std::sort(values->begin(), values->end());
    const Outcome live = measure(bank, streams, kFramesALive, true);
    std::printf(
        "| %u | %.1f | %.1f | %.1f %% (%.1f to %.1f) | %.1f | %.0f ms | %.0f ms | %.1f %% |\n",
        streams, quantile(rates, 0.5), quantile(alone_rates, 0.5), quantile(outside, 0.5),
        quantile(outside, 0.25), quantile(outside, 0.75), live.rate, quantile(live.added, 0.5),
        quantile(live.added, 0.99),
        100 * static_cast<double>(live.stale) / static_cast<double>(live.frames));
    std::fflush(stdout);
  }
}
