// SPDX-License-Identifier: LGPL-2.1-or-later
// Between red, green and blue and the samples of a format, by a frame's colorimetry.
#pragma once

#include <gst/video/video.h>

#include <array>

namespace gstpatchcore {

/// Of three values and of 1, in a sum.
using Weights = std::array<gdouble, 4>;

/// A component's level as it is stored, of red, green and blue, each 0..255. YUV by the frame's
/// matrix and range, BT.601 where it names none; alpha is opaque.
Weights weights_of(const GstVideoInfo& info, guint component);

/// The way back: red, green and blue, 0..255 before they are clamped, of the levels of a pixel's
/// three components; of a grey frame the first one's.
std::array<Weights, 3> rgb_weights_of(const GstVideoInfo& info);

}  // namespace gstpatchcore
