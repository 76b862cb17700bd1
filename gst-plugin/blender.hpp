// SPDX-License-Identifier: LGPL-2.1-or-later
// Laying pictures over frames in the frames' own format.
#pragma once

#include <gst/video/video.h>

#include "picture.hpp"

namespace gstpatchcore {

/// Stretches a picture over a rectangle of a frame that has_byte_samples(): bilinear in
/// premultiplied colours, its edge pixels go on to the rectangle's edge. Nothing but the bytes that
/// show it are touched. Colours become YUV by the frame's colorimetry; a sample of chroma is taken
/// at the middle of the pixels that it is of. Within 3 levels of 255. frame: mapped for reading and
/// writing with `info`, whose size counts where a GstVideoMeta has more around it.
void blend_picture(GstVideoFrame* frame, const GstVideoInfo& info, const Picture& picture,
                   const Rectangle& where);

}  // namespace gstpatchcore
