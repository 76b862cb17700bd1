// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "calibration.hpp"

namespace patchcore {

/// A frame that doesn't belong among those that a bank is made of: a defect that was seen while
/// learning, a hand, a dark frame.
struct Outlier {
  int64_t frame;  ///< its number in the fit
  double score;   ///< with a bank of other frames
};

struct Outliers {
  std::vector<Outlier> frames;                             ///< the worst first
  double limit = std::numeric_limits<double>::infinity();  ///< of scores; above it a frame is one
};

/// Tukey's fence (Exploratory Data Analysis, 1977): outliers lie above the upper quartile by more
/// than kFence times the distance between the quartiles. Of few frames, below kFewestFrames, none.
Outliers find_outliers(const std::vector<HeldOut>& frames);

constexpr double kFence = 3;  ///< Tukey's "far out"
constexpr size_t kFewestFrames = 8;

}  // namespace patchcore
