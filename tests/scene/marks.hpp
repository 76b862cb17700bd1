// SPDX-License-Identifier: LGPL-2.1-or-later
// Random lines and blobs, from which the defects are drawn. Lengths are in millimetres.
#pragma once

#include <vector>

#include "part.hpp"

namespace scene {

using Path = std::vector<cv::Point2d>;

// A direction as a vector of length 1; `angle` is in radians.
cv::Point2d heading(double angle);

// A path of `steps` steps from `start`, each of which turns by a random angle of deviation `turn`
// on top of a steady `bend` (both radians a step).
Path wander(cv::Point2d start, double angle, double length, int steps, double turn, double bend,
            Random& random);

// A path that keeps its direction but for a random angle of deviation `jitter` at each step.
Path zigzag(cv::Point2d start, double angle, double length, int steps, double jitter,
            Random& random);

// Coverage (0 to 1) of a line along `path`, whose width goes from `first_width` to `last_width`.
Gray draw_path(const Surface& surface, const Path& path, double first_width, double last_width);

// An irregular round patch, at most twice as wide as its radius says.
class Blob {
 public:
  Blob(cv::Point2d centre, double radius, double irregularity, Random& random);

  // About 0 in the centre, 1 on the outline, above 1 outside.
  double reach(cv::Point2d at) const;

  // The pixels that can lie inside, with some room around them.
  cv::Rect area(const Surface& surface) const;

 private:
  cv::Point2d centre_;
  double radius_;
  double flatness_;
  double tilt_;
  std::vector<cv::Point2d> waves_;  // amplitude and phase for 2, 3, ... lobes
};

// Puts opaque matter of one colour on top of everything, where and as much as `coverage` says.
void deposit(Surface& surface, const Gray& coverage, cv::Vec3f color, double gloss);

// Darkens what lies under an object `lift` millimetres above the part.
void cast_shadow(Surface& surface, const Gray& coverage, double lift);

}  // namespace scene
