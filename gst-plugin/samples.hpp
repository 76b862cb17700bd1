// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the samples of a mapped frame lie, in whatever memory and format.
#pragma once

#include <gst/video/video.h>

#include "library.hpp"

namespace gstpatchcore {

/// Frames of these formats can be read and painted on in a GPU's memory: components of 8 to 16 bits
/// in planes or packed, none across a byte's border.
#define CUDA_FORMATS                                                                          \
  "{ I420, YV12, NV12, NV21, Y42B, Y444, P010_10LE, P012_LE, P016_LE, I420_10LE, I420_12LE, " \
  "I422_10LE, I422_12LE, Y444_16LE, RGB, BGR, RGBx, BGRx, RGBA, BGRA, ARGB, ABGR, GBR }"

/// Are all of a format's components a byte each: I420, NV12, YUY2, RGB, BGR, the RGBx family, GRAY8
/// and their like?
bool has_byte_samples(const GstVideoInfo& info);

/// The same with up to 16 bits: frames of such formats are read as they are.
bool has_samples(const GstVideoInfo& info);

/// Bytes from the beginning of a row of its plane to a component's first sample.
guint offset_of(const GstVideoFormatInfo* format, guint component);

/// What there is to see of a frame, in pixels: all of it, or of an interlaced one the earlier
/// field, as two fields are of two times and what moves is in both, beside itself.
struct View {
  guint width = 0, height = 0;
  gdouble pixel_aspect = 1;
  bool is_field = false, is_top = true;
};

/// Of the size in `info`; a GstVideoMeta may have more around it.
View view_of(const GstVideoFrame& frame, const GstVideoInfo& info);

/// Pixels of a view.
struct Area {
  guint x, y, width, height;
};

/// The area without edges that go through a sample of chroma.
Area aligned(const Area& area, const View& view, const GstVideoInfo& info);

/// A component of the whole frame.
PatchcoreSamples samples_of(const GstVideoFrame& frame, const GstVideoInfo& info, guint component);

/// Does all of them lie in what was mapped, whatever a GstVideoMeta says? Of memory that GStreamer
/// maps itself, as CUDA memory is.
bool holds_samples(const GstVideoFrame& frame, const GstVideoInfo& info);

/// A part of a frame. area: aligned().
PatchcoreSampledImage sampled_image(const GstVideoFrame& frame, const GstVideoInfo& info,
                                    const View& view, const Area& area);

}  // namespace gstpatchcore
