// SPDX-License-Identifier: LGPL-2.1-or-later
// Noise textures and the small functions that shape them.
#pragma once

#include <algorithm>
#include <opencv2/core.hpp>

#include "random.hpp"

namespace scene {

using Gray = cv::Mat_<float>;       // one number a pixel
using Color = cv::Mat_<cv::Vec3f>;  // blue, green, red; 0 is black and 1 is white

// Smooth noise of mean 0 and variance 1, without a seam where copies of it meet. `spot` is the
// size in pixels of a typical bright or dark spot; a long and flat spot gives brush strokes.
Gray grain(cv::Size size, cv::Size2d spot, Random& random);

// A belt of dark grey-green rubber seen at `px_per_mm`. It repeats after `period` columns and
// carries `size.width` further columns, so that a view from any offset below `period` fits.
Color rubber_belt(cv::Size size, int period, double px_per_mm, std::uint64_t seed);

// 0 up to `from`, 1 from `to` on, smooth between them; falls where `from` is above `to`.
inline double smooth_step(double from, double to, double value) {
  const double t = std::clamp((value - from) / (to - from), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

// `a` where share is 0, `b` where it is 1.
template <class Value>
Value blend(const Value& a, const Value& b, double share) {
  return a * static_cast<float>(1 - share) + b * static_cast<float>(share);
}

}  // namespace scene
