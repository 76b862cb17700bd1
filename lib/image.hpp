// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcore {

/// How a pixel's bytes lie, with GStreamer's names; what x is doesn't matter.
enum class PixelFormat { RGB, BGR, RGBx, BGRx, xRGB, xBGR };

/// Somebody else's 8-bit pixels, rows `stride` bytes apart.
struct ImageView {
  const uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;
  PixelFormat format = PixelFormat::RGB;
  double pixel_aspect = 1;  ///< width of a pixel as it is shown, of its height
};

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// In pixels or patches, from the upper left.
struct Place {
  int64_t y = 0, x = 0;
};

/// A part of an image in fractions of its width and height, 0..1.
struct Rectangle {
  double x = 0, y = 0, width = 1, height = 1;
};

}  // namespace patchcore
