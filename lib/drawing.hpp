// SPDX-License-Identifier: LGPL-2.1-or-later
// What results are shown with, from OpenCV.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "image.hpp"

namespace patchcore {

struct Colour {
  uint8_t red, green, blue;
};

/// The colours of 256 values at equal steps, the least first. name: "turbo" (Mikhailov 2019),
/// "inferno", "viridis" (matplotlib's), "jet" (blue to red), "grey" (black to white). Throws
/// Error(InvalidArgument) for another.
std::array<Colour, 256> colormap(const std::string& name);

struct TextMask {
  Size size;
  std::vector<uint8_t> pixels;  ///< size.height rows of size.width: 0 nothing, 255 text
};

/// A line of ASCII, with capital letters `height` pixels high, in a Hershey font, smoothed. Throws
/// Error(InvalidArgument) for a height outside 4 to 1000 or more than 200 bytes.
TextMask text_mask(const std::string& text, unsigned height);

}  // namespace patchcore
