// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systempreparer.hpp"

namespace gstpatchcore {
namespace {

/// Of packed RGB, which the library takes a pixel at a time.
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

/// What isn't is converted to packed RGB: RGB in planes, so that its bytes come to the same input
/// however they lie, and what has_samples() doesn't know.
bool is_read_directly(const GstVideoInfo& info) {
  const bool bytes_of_rgb = GST_VIDEO_INFO_IS_RGB(&info) && has_byte_samples(info);
  return bytes_of_rgb ? pixels_of(GST_VIDEO_INFO_FORMAT(&info)).has_value() : has_samples(info);
}

}  // namespace

std::unique_ptr<FramePreparer> SystemPreparer::make(const GstVideoInfo& info, std::string* why) {
  auto preparer = std::make_unique<SystemPreparer>(info);
  if (is_read_directly(info) || preparer->converter_) return preparer;
  *why = "Frames of this format can't be converted to RGB.";
  return nullptr;
}

SystemPreparer::SystemPreparer(const GstVideoInfo& info)
    : FramePreparer(info), pixels_(pixels_of(GST_VIDEO_INFO_FORMAT(&info))) {
  if (is_read_directly(info)) return;
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
  converter_.reset(gst_video_converter_new(&info, &converted, nullptr));
}

SystemPreparer::~SystemPreparer() {
  if (converted_.buffer) gst_video_frame_unmap(&converted_);
}

std::optional<View> SystemPreparer::map(GstBuffer* buffer, GError** error) {
  if (!gst_video_frame_map(&frame_, &info(), buffer, GST_MAP_READ)) return unlike_its_caps(error);
  if (converter_) gst_video_converter_frame(converter_.get(), &frame_, &converted_);
  return view_of(frame_, info());
}

bool SystemPreparer::unmap(GError**) {
  gst_video_frame_unmap(&frame_);
  return true;
}

bool SystemPreparer::fill(const Area& area, const View& view, const Preparation& preparation,
                          bool floats, Job* job, GError** error) {
  const gsize values = gsize{3} * job->width * job->height;
  floats ? job->rgb_floats.resize(values) : job->rgb.resize(values);
  if (!pixels_ && !converter_)
    return resize(sampled_image(frame_, info(), view, area), preparation, floats, job, error);
  const GstVideoFrame& pixels = converter_ ? converted_ : frame_;
  const auto* data = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&pixels, 0));
  auto stride = static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(&pixels, 0));
  if (view.is_field && !view.is_top) data += stride;
  if (view.is_field) stride *= 2;
  const auto step = static_cast<gsize>(GST_VIDEO_FRAME_COMP_PSTRIDE(&pixels, 0));
  return resize(PatchcoreImage{data + area.y * stride + area.x * step, area.width, area.height,
                               stride, pixels_.value_or(PATCHCORE_PIXELS_BGRX), view.pixel_aspect},
                preparation, floats, job, error);
}

bool SystemPreparer::resize(const PatchcoreImage& image, const Preparation& preparation,
                            bool floats, Job* job, GError** error) const {
  return floats ? library().patchcore_preprocess_resize_floats(preparation.preprocess, &image,
                                                               job->rgb_floats.data(), error)
                : library().patchcore_preprocess_resize(preparation.preprocess, &image,
                                                        job->rgb.data(), error);
}

bool SystemPreparer::resize(const PatchcoreSampledImage& image, const Preparation& preparation,
                            bool floats, Job* job, GError** error) const {
  return floats ? library().patchcore_preprocess_resize_samples_floats(
                      preparation.preprocess, &image, job->rgb_floats.data(), error)
                : library().patchcore_preprocess_resize_samples(preparation.preprocess, &image,
                                                                job->rgb.data(), error);
}

}  // namespace gstpatchcore
