// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

#include "image.hpp"

namespace patchcore {

/// A connected part of an anomaly map. Places are in fractions of the map's sides.
struct Region {
  Rectangle area;     ///< the smallest that holds it
  double peak = 0;    ///< its largest value
  double peak_x = 0;  ///< centre of the pixel that has it, the first of equals row by row
  double peak_y = 0;
};

/// The 8-connected regions of a map at or above `threshold`, the largest peak first, of equal peaks
/// the one that comes first row by row. NaN belongs to no region.
/// map: size.width * size.height values, row by row.
std::vector<Region> find_regions(std::span<const float> map, Size size, double threshold);

}  // namespace patchcore
