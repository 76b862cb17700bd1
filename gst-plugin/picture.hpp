// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <vector>

namespace gstpatchcore {

struct Colour {
  guint8 r, g, b;
};

/// A pixel of a Picture: 8 bits each of alpha (the highest), red, green, blue; alpha is not
/// premultiplied, full range sRGB.
constexpr guint32 pixel(Colour colour, guint8 alpha) {
  return guint32{alpha} << 24 | guint32{colour.r} << 16 | guint32{colour.g} << 8 |
         guint32{colour.b};
}

/// What is laid over a frame.
struct Picture {
  guint width, height;
  std::vector<guint32> pixels;  ///< height rows of width
};

/// Pixels of a frame, from its upper left; whatever lies outside is cut off.
struct Rectangle {
  gdouble x, y, w, h;
};

struct PlacedPicture {
  Picture picture;
  Rectangle where;
};

}  // namespace gstpatchcore
