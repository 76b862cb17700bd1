// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcore {

/// Somebody else's 8-bit RGB pixels, three bytes each, rows `stride` bytes apart.
struct ImageView {
  const uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;
};

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// A part of an image in fractions of its width and height, 0..1.
struct Rectangle {
  double x = 0, y = 0, width = 1, height = 1;
};

}  // namespace patchcore
