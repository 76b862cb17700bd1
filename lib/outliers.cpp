// SPDX-License-Identifier: LGPL-2.1-or-later
#include "outliers.hpp"

#include <algorithm>
#include <cmath>

namespace patchcore {
namespace {

/// Between the two values that it lies between, as most programs have it. sorted: one at least.
double quantile(const std::vector<float>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double rest = place - std::floor(place);
  return (1 - rest) * static_cast<double>(sorted[below]) +
         rest * static_cast<double>(sorted[above]);
}

}  // namespace

Outliers find_outliers(const std::vector<HeldOut>& frames) {
  Outliers found;
  if (frames.size() < kFewestFrames) return found;
  std::vector<float> scores;
  for (const HeldOut& frame : frames) scores.push_back(frame.score);
  std::sort(scores.begin(), scores.end());
  const double lower = quantile(scores, 0.25), upper = quantile(scores, 0.75);
  found.limit = upper + kFence * (upper - lower);
  for (size_t i = 0; i < frames.size(); ++i)
    if (static_cast<double>(frames[i].score) > found.limit)
      found.frames.push_back({static_cast<int64_t>(i), static_cast<double>(frames[i].score)});
  std::stable_sort(found.frames.begin(), found.frames.end(),
                   [](const Outlier& a, const Outlier& b) { return a.score > b.score; });
  return found;
}

}  // namespace patchcore
