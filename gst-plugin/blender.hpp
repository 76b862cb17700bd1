// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include "picture.hpp"

namespace gstpatchcore {

/// Lays pictures over frames in the frames' own format: nothing but the bytes that show it are
/// touched. Takes the formats whose components are a byte each: I420, NV12, YUY2, RGB, BGR, the
/// RGBx family, GRAY8 and their like.
class Blender {
 public:
  /// info: usable() with it, and kept by the caller.
  explicit Blender(const GstVideoInfo& info) : info_(info) {}

  static bool usable(const GstVideoInfo& info);

  /// The picture is stretched over the rectangle: bilinear in premultiplied colours, its edge
  /// pixels go on to the rectangle's edge. Colours become YUV by the frame's colorimetry; a sample
  /// of chroma is taken at the middle of the pixels that it is of. Within 3 levels of 255.
  /// frame: mapped for reading and writing.
  void blend(GstVideoFrame* frame, const Picture& picture, const Rectangle& where) const;

 private:
  const GstVideoInfo& info_;
};

}  // namespace gstpatchcore
