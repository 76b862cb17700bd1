// SPDX-License-Identifier: LGPL-2.1-or-later
// Shapes as signed distances in millimetres: below 0 inside, 0 on the outline, above 0 outside.
#pragma once

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

namespace scene {

// std::hypot guards against overflow, which millimetres don't need, and is several times slower.
inline double length(cv::Point2d arm) { return std::sqrt(arm.dot(arm)); }

inline double disc(cv::Point2d at, cv::Point2d centre, double radius) {
  return length(at - centre) - radius;
}

// A rectangle around the origin with rounded corners.
inline double rounded_box(cv::Point2d at, cv::Point2d half_size, double radius) {
  const double x = std::abs(at.x) - half_size.x + radius;
  const double y = std::abs(at.y) - half_size.y + radius;
  return length({std::max(x, 0.0), std::max(y, 0.0)}) + std::min(std::max(x, y), 0.0) - radius;
}

// The share of a pixel that lies inside a shape, 0 to 1, at `scale` pixels per millimetre.
inline double inside(double distance, double scale) {
  return std::clamp(0.5 - distance * scale, 0.0, 1.0);
}

}  // namespace scene
