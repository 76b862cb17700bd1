// SPDX-License-Identifier: LGPL-2.1-or-later
#include "calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "normalization.hpp"

namespace patchcore {
namespace {

/// The least observation with at most a share `rate` of them above it.
double upper_quantile(const std::vector<float>& ascending, double rate) {
  const auto allowed = static_cast<size_t>(rate * static_cast<double>(ascending.size()));
  return ascending[ascending.size() - 1 - std::min(allowed, ascending.size() - 1)];
}

double median(const std::vector<float>& ascending) {
  const size_t middle = ascending.size() / 2;
  return ascending.size() % 2 ? ascending[middle]
                              : (ascending[middle - 1] + ascending[middle]) / 2.0;
}

}  // namespace

Calibration Calibration::from_scores(std::vector<float> scores, std::vector<float> map_peaks,
                                     double rate) {
  if (scores.empty() || map_peaks.empty()) return {};
  std::sort(scores.begin(), scores.end());
  std::sort(map_peaks.begin(), map_peaks.end());
  Calibration c;
  // Just above the observation: a frame exactly like the worst normal one is still normal.
  constexpr float kUp = std::numeric_limits<float>::infinity();
  c.threshold = std::nextafter(static_cast<float>(upper_quantile(scores, rate)), kUp);
  c.pixel_threshold = std::nextafter(static_cast<float>(upper_quantile(map_peaks, rate)), kUp);
  c.median = patchcore::median(scores);
  c.pixel_median = patchcore::median(map_peaks);
  c.scores = std::move(scores);
  c.map_peaks = std::move(map_peaks);
  return c;
}

double Calibration::normalise(double score) const {
  if (!valid()) return std::numeric_limits<double>::quiet_NaN();
  return Normalization(threshold, median).normalized(score);
}

}  // namespace patchcore
