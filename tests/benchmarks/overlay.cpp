// SPDX-License-Identifier: LGPL-2.1-or-later
// How long an anomalous frame of 1920 x 1080 is painted on, one thread: the whole way from a map of
// 256 x 144 that shows everywhere to the frame, heatmap and label; and beside it GStreamer's
// overlay composition with a picture of the same size.
//   bench-overlay [ROUNDS]

#include "../../gst-plugin/overlay.hpp"

#include <gst/video/video.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../../gst-plugin/framepainter.hpp"
#include "plugin_bench.hpp"

using namespace gstpatchcore;

namespace {

constexpr guint kWidth = 1920, kHeight = 1080, kMapWidth = 256, kMapHeight = 144;

void compose(GstVideoFrame* frame, GstBuffer* picture) {
  GstVideoOverlayRectangle* rectangle = gst_video_overlay_rectangle_new_raw(
      picture, 0, 0, kWidth, kHeight, GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  GstVideoOverlayComposition* composition = gst_video_overlay_composition_new(rectangle);
  gst_video_overlay_composition_blend(composition, frame);
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
}

/// Raw values from the pixel threshold to far above it.
void fill(Job* job) {
  std::vector<gfloat> map(gsize{kMapWidth} * kMapHeight);
  for (size_t i = 0; i < map.size(); ++i) map[i] = 2 + static_cast<gfloat>(i % 97) / 10;
  job->result.map = g_bytes_new(map.data(), map.size() * sizeof(gfloat));
  job->result.map_width = kMapWidth;
  job->result.map_height = kMapHeight;
  job->result.map_peak = *std::max_element(map.begin(), map.end());
}

void measure(GstVideoFormat format, int rounds) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, format, kWidth, kHeight);
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, info.size, nullptr);
  gst_buffer_memset(buffer, 0, 128, info.size);
  GstBuffer* picture = gst_buffer_new_allocate(nullptr, gsize{4} * kMapWidth * kMapHeight, nullptr);
  gst_buffer_memset(picture, 0, 100, gsize{4} * kMapWidth * kMapHeight);
  gst_buffer_add_video_meta(picture, GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, kMapWidth, kMapHeight);
  PatchcoreBankInfo bank{};
  bank.calibrated = TRUE;
  bank.pixel_threshold = 2;
  bank.pixel_median = 1;
  const LiveConfig live;
  Job job;
  fill(&job);
  GstCaps* caps = gst_video_info_to_caps(&info);
  const auto painter = FramePainter::make(caps);
  gst_caps_unref(caps);
  const std::string ours = timed(rounds, [&] {
    OverlayPainter overlay(info, live);
    overlay.add_map(job, bank);
    overlay.add_score(job, bank, true);
    painter->paint(buffer, overlay.pictures());
  });
  const std::string theirs = timed(std::min(rounds, 20), [&] {
    GstVideoFrame frame;
    gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE);
    compose(&frame, picture);
    gst_video_frame_unmap(&frame);
  });
  std::printf("%-12s %s   %s\n", gst_video_format_to_string(format), ours.c_str(), theirs.c_str());
  gst_buffer_unref(picture);
  gst_buffer_unref(buffer);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  require_library();
  std::printf(
      "ms a frame            ours            composition\n"
      "               median    worst     median    worst\n");
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_RGB,
        GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_GRAY8,
        GST_VIDEO_FORMAT_I420_10LE})
    measure(format, argc > 1 ? std::atoi(argv[1]) : 100);
}
