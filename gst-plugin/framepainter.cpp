// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framepainter.hpp"

#include <algorithm>

#include "blender.hpp"
#include "cudapainter.hpp"
#include "handles.hpp"
#include "samples.hpp"

namespace gstpatchcore {
namespace {

/// A pixel is a native word in GStreamer's format too.
BufferPtr buffer_of(const Picture& picture) {
  BufferPtr buffer(gst_buffer_new_memdup(picture.pixels.data(),
                                         picture.pixels.size() * sizeof picture.pixels[0]));
  gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, picture.width,
                            picture.height);
  return buffer;
}

/// By blend_picture(), or for formats that it doesn't take by GStreamer's overlay composition.
class SystemPainter : public FramePainter {
 public:
  explicit SystemPainter(const GstVideoInfo& info) : info_(info) {}

  bool paint(GstBuffer* buffer, std::span<const PlacedPicture> pictures) override {
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, &info_, buffer, GST_MAP_READWRITE)) return false;
    const bool painted =
        has_byte_samples(info_) ? blend(&frame, pictures) : compose(&frame, pictures);
    gst_video_frame_unmap(&frame);
    return painted;
  }

 private:
  bool blend(GstVideoFrame* frame, std::span<const PlacedPicture> pictures) const {
    for (const PlacedPicture& placed : pictures)
      blend_picture(frame, info_, placed.picture, placed.where);
    return true;
  }

  static bool compose(GstVideoFrame* frame, std::span<const PlacedPicture> pictures) {
    GstVideoOverlayComposition* composition = gst_video_overlay_composition_new(nullptr);
    for (const PlacedPicture& placed : pictures) {
      const Rectangle& r = placed.where;
      GstVideoOverlayRectangle* rectangle = gst_video_overlay_rectangle_new_raw(
          buffer_of(placed.picture).get(), static_cast<gint>(r.x), static_cast<gint>(r.y),
          static_cast<guint>(std::max(1.0, r.w)), static_cast<guint>(std::max(1.0, r.h)),
          GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
      gst_video_overlay_composition_add_rectangle(composition, rectangle);
      gst_video_overlay_rectangle_unref(rectangle);
    }
    const bool blended = gst_video_overlay_composition_blend(composition, frame);
    gst_video_overlay_composition_unref(composition);
    return blended;
  }

  const GstVideoInfo info_;
};

}  // namespace

std::unique_ptr<FramePainter> FramePainter::make(GstCaps* caps) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return nullptr;
  if (is_cuda(caps)) return CudaPainter::make(info);
  return std::make_unique<SystemPainter>(info);
}

}  // namespace gstpatchcore
