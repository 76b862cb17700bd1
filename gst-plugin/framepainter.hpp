// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <span>

#include "picture.hpp"

namespace gstpatchcore {

/// Paints pictures on frames of one format, in that format and where the frames' memory is. The src
/// pad's task alone.
class FramePainter {
 public:
  /// caps: of frames that a FramePreparer takes. nullptr: they can't be painted on.
  static std::unique_ptr<FramePainter> make(GstCaps* caps);

  virtual ~FramePainter() = default;

  /// Onto a writable buffer, in the given order. False: it was not, or not all of it, painted.
  virtual bool paint(GstBuffer* buffer, std::span<const PlacedPicture> pictures) = 0;
};

}  // namespace gstpatchcore
