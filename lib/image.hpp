// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

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

/// The samples of one colour component of somebody else's picture.
struct Samples {
  const uint8_t* data = nullptr;  ///< the first
  std::ptrdiff_t stride = 0;      ///< bytes from row to row
  int columns = 0, rows = 0;
  int step = 1;   ///< bytes from sample to sample
  int bytes = 1;  ///< of a sample; of two the lower comes first
  int shift = 0;  ///< bits of these below the sample's own
  int depth = 8;  ///< the sample's own bits

  bool operator==(const Samples&) const = default;
};

/// A picture as video has it: each component in its own resolution, perhaps of YUV.
struct SampledImage {
  std::array<Samples, 3> components;
  /// Red, green, blue, 0..255 before they are clamped, of the three samples as stored and of 1.
  std::array<std::array<float, 4>, 3> to_rgb{};
  /// Pixels. All components cover these, as nearly as their samples can; a sample is of the middle
  /// of its pixels.
  int width = 0, height = 0;
  double pixel_aspect = 1;  ///< as ImageView has it
};

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// As messages show it, "640 x 480".
inline std::string text(Size size) {
  return std::to_string(size.width) + " x " + std::to_string(size.height);
}

/// In pixels or patches, from the upper left.
struct Place {
  int64_t y = 0, x = 0;
};

/// A part of an image in fractions of its width and height, 0..1.
struct Rectangle {
  double x = 0, y = 0, width = 1, height = 1;
};

}  // namespace patchcore
