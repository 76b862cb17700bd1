// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <opencv2/core.hpp>

#include "batch.hpp"
#include "metrics.hpp"

namespace patchcore::cli {

/// The pixels of an image of `size` whose centres lie in `region`.
cv::Rect pixels_inside(const Rectangle& region, cv::Size size);

/// Counts the pixels of one image's map. `mask`: 8-bit, above 127 is defective; it stays as it is
/// and the map is brought to its size, bilinearly. What a crop left out isn't counted.
void count_pixels(const Processed& image, const cv::Mat& mask, PixelHistogram& histogram);

}  // namespace patchcore::cli
