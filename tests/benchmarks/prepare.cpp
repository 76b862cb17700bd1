// SPDX-License-Identifier: LGPL-2.1-or-later
// How long a frame of 1920 x 1080 takes to become the network's input of 456 x 256, one thread; and
// beside it the way over GStreamer's converter: the whole frame to BGRx, and then that resized.
//   bench-prepare [ROUNDS]

#include <cstdio>
#include <cstdlib>

#include "../../gst-plugin/framepreparer.hpp"
#include "plugin_bench.hpp"

using namespace gstpatchcore;

namespace {

constexpr gint kWidth = 1920, kHeight = 1080;

GstVideoInfo info_of(GstVideoFormat format) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, format, kWidth, kHeight);
  return info;
}

std::unique_ptr<FramePreparer> preparer_of(const GstVideoInfo& info) {
  GstCaps* caps = gst_video_info_to_caps(&info);
  std::string why;
  auto preparer = FramePreparer::make(caps, &why);
  gst_caps_unref(caps);
  if (preparer) return preparer;
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(EXIT_FAILURE);
}

void prepare(FramePreparer& preparer, const BufferPtr& frame, const Preparation& preparation) {
  const Region whole;
  if (!preparer.prepare(frame.get(), preparation, {&whole, 1}, nullptr).empty()) return;
  std::fprintf(stderr, "a frame can't be prepared\n");
  std::exit(EXIT_FAILURE);
}

void measure(GstVideoFormat format, const Preparation& preparation, int rounds) {
  const GstVideoInfo info = info_of(format), bgrx = info_of(GST_VIDEO_FORMAT_BGRx);
  const auto direct = preparer_of(info), resize = preparer_of(bgrx);
  const BufferPtr frame(gst_buffer_new_allocate(nullptr, info.size, nullptr)),
      converted(gst_buffer_new_allocate(nullptr, bgrx.size, nullptr));
  gst_buffer_memset(frame.get(), 0, 100, info.size);
  const ConverterPtr converter(gst_video_converter_new(&info, &bgrx, nullptr));
  const std::string ours = timed(rounds, [&] { prepare(*direct, frame, preparation); });
  const std::string theirs = timed(rounds, [&] {
    GstVideoFrame from, to;
    gst_video_frame_map(&from, &info, frame.get(), GST_MAP_READ);
    gst_video_frame_map(&to, &bgrx, converted.get(), GST_MAP_WRITE);
    gst_video_converter_frame(converter.get(), &from, &to);
    gst_video_frame_unmap(&from);
    gst_video_frame_unmap(&to);
    prepare(*resize, converted, preparation);
  });
  std::printf("%-12s %s   %s\n", gst_video_format_to_string(format), ours.c_str(), theirs.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  require_library();
  const PatchcoreBackboneOptions network{"builtin", nullptr, "cpu", "fp32", nullptr};
  const Backbone backbone(library().patchcore_backbone_get(&network, nullptr));
  PatchcoreFitOptions options{};
  options.resize_width = 256;
  const Fit fit(library().patchcore_fit_new(backbone.get(), &options, nullptr));
  const Preparation preparation{library().patchcore_fit_get_preprocess(fit.get()), false};
  std::printf(
      "ms a frame           directly         by the converter\n"
      "               median    worst     median    worst\n");
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_Y444,
        GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_P010_10LE, GST_VIDEO_FORMAT_RGB,
        GST_VIDEO_FORMAT_BGRx})
    measure(format, preparation, argc > 1 ? std::atoi(argv[1]) : 100);
}
