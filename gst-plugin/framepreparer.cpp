// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framepreparer.hpp"

#include <algorithm>

namespace gstpatchcore {
namespace {

/// Of what the library takes as it is.
std::optional<PatchcorePixels> pixels_of(GstVideoFormat format) {
  switch (format) {
    case GST_VIDEO_FORMAT_RGB: return PATCHCORE_PIXELS_RGB;
    case GST_VIDEO_FORMAT_BGR: return PATCHCORE_PIXELS_BGR;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA: return PATCHCORE_PIXELS_RGBX;
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_BGRA: return PATCHCORE_PIXELS_BGRX;
    case GST_VIDEO_FORMAT_xRGB:
    case GST_VIDEO_FORMAT_ARGB: return PATCHCORE_PIXELS_XRGB;
    case GST_VIDEO_FORMAT_xBGR:
    case GST_VIDEO_FORMAT_ABGR: return PATCHCORE_PIXELS_XBGR;
    default: return std::nullopt;
  }
}

gdouble pixel_aspect(const GstVideoInfo& info) {
  const gdouble n = GST_VIDEO_INFO_PAR_N(&info), d = GST_VIDEO_INFO_PAR_D(&info);
  return n > 0 && d > 0 ? std::clamp(n / d, 1.0 / 64, 64.0) : 1;
}

/// Two fields are of two times: what moves is in both, beside itself. The earlier one alone is a
/// picture of flatter pixels.
PatchcoreImage first_field(PatchcoreImage image, const GstVideoFrame& frame) {
  if (image.height < 2) return image;
  const bool top = GST_VIDEO_FRAME_FLAG_IS_SET(&frame, GST_VIDEO_FRAME_FLAG_TFF);
  if (!top) image.data += image.stride;
  image.height = (image.height + top) / 2;
  image.stride *= 2;
  image.pixel_aspect = std::max(image.pixel_aspect / 2, 1.0 / 64);
  return image;
}

/// The pixels of a region, one at least.
PatchcoreImage part(const PatchcoreImage& image, const Region& region) {
  const auto pixel = [](gdouble at, guint size) {
    return static_cast<guint>(std::clamp(at, 0.0, 1.0) * size + 0.5);
  };
  const guint left = std::min(pixel(region.x, image.width), image.width - 1);
  const guint top = std::min(pixel(region.y, image.height), image.height - 1);
  const guint right = std::max(pixel(region.x + region.w, image.width), left + 1);
  const guint bottom = std::max(pixel(region.y + region.h, image.height), top + 1);
  const bool packed = image.pixels == PATCHCORE_PIXELS_RGB || image.pixels == PATCHCORE_PIXELS_BGR;
  return {image.data + top * image.stride + gsize{packed ? 3u : 4u} * left,
          right - left,
          bottom - top,
          image.stride,
          image.pixels,
          image.pixel_aspect};
}

Region within(const Region& outer, const Region& inner) {
  return {outer.to_frame_x(inner.x), outer.to_frame_y(inner.y), outer.w * inner.w,
          outer.h * inner.h};
}

/// nullptr: *error is set.
std::unique_ptr<Job> make_job(const PatchcoreImage& image, const PatchcorePreprocess* preprocess,
                              GError** error) {
  PatchcoreGeometry g;
  if (!library().patchcore_preprocess_get_geometry(preprocess, image.width, image.height,
                                                   image.pixel_aspect, &g, error))
    return nullptr;
  auto job = std::make_unique<Job>();
  job->width = g.width;
  job->height = g.height;
  job->region = {g.x, g.y, g.w, g.h};
  const gsize values = gsize{3} * g.width * g.height;
  bool ok = false;
  if (g.floats) {
    job->rgb_floats.resize(values);
    ok = library().patchcore_preprocess_resize_floats(preprocess, &image, job->rgb_floats.data(),
                                                      error);
  } else {
    job->rgb.resize(values);
    ok = library().patchcore_preprocess_resize(preprocess, &image, job->rgb.data(), error);
  }
  return ok ? std::move(job) : nullptr;
}

}  // namespace

FramePreparer::FramePreparer(const GstVideoInfo& info)
    : info_(info), pixels_(pixels_of(GST_VIDEO_INFO_FORMAT(&info))) {
  if (pixels_) return;
  // Four bytes a pixel: the converter's own last step would take as long again to make three.
  GstVideoInfo converted = info;
  gst_video_info_set_interlaced_format(&converted, GST_VIDEO_FORMAT_BGRx, info.interlace_mode,
                                       info.width, info.height);
  // The converter takes nothing that differs in these, and setting a format clears them.
  converted.fps_n = info.fps_n;
  converted.fps_d = info.fps_d;
  converted.par_n = info.par_n;
  converted.par_d = info.par_d;
  const BufferPtr buffer(gst_buffer_new_allocate(nullptr, converted.size, nullptr));
  if (!gst_video_frame_map(&converted_, &converted, buffer.get(), GST_MAP_READWRITE)) return;
  converter_.reset(gst_video_converter_new(&info_, &converted, nullptr));
}

FramePreparer::~FramePreparer() {
  if (converted_.buffer) gst_video_frame_unmap(&converted_);
}

bool FramePreparer::usable() const { return pixels_ || converter_; }

PatchcoreImage FramePreparer::image_of(const GstVideoFrame& frame) {
  const GstVideoFrame* pixels = &frame;
  if (converter_) {
    gst_video_converter_frame(converter_.get(), &frame, &converted_);
    pixels = &converted_;
  }
  const PatchcoreImage image{static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(pixels, 0)),
                             // The caps' size: a GstVideoMeta may hold more around it.
                             static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info_)),
                             static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info_)),
                             static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(pixels, 0)),
                             pixels_.value_or(PATCHCORE_PIXELS_BGRX), pixel_aspect(info_)};
  return GST_VIDEO_FRAME_IS_INTERLACED(&frame) ? first_field(image, frame) : image;
}

std::vector<std::unique_ptr<Job>> FramePreparer::prepare(GstBuffer* buffer,
                                                         const PatchcorePreprocess* preprocess,
                                                         std::span<const Region> regions,
                                                         GError** error) {
  GstVideoFrame frame;
  if (!gst_video_frame_map(&frame, &info_, buffer, GST_MAP_READ)) {
    g_set_error_literal(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                        "A frame doesn't hold what its caps say.");
    return {};
  }
  const PatchcoreImage image = image_of(frame);
  std::vector<std::unique_ptr<Job>> jobs;
  for (const Region& region : regions) {
    auto job = make_job(part(image, region), preprocess, error);
    if (!job) break;
    job->region = within(region, job->region);
    jobs.push_back(std::move(job));
  }
  gst_video_frame_unmap(&frame);
  if (jobs.size() < regions.size()) return {};
  return jobs;
}

}  // namespace gstpatchcore
