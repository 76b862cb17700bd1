// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics.hpp"

namespace patchcore::cli {

struct BootstrapOptions {
  int resamples = 1000;  ///< 0: no intervals
  uint64_t seed = 0;
};

struct Interval {
  double low, high;
};

/// Of each metric the interval that holds the middle 95 % of its resamples; absent where the metric
/// is.
struct ImageIntervals {
  std::optional<Interval> auroc, average_precision, best_f1, calibrated_f1;
};

/// Percentile bootstrap over images: as many good ones are drawn with replacement as there are, and
/// as many defective ones. The same input and seed give the same intervals on any machine.
ImageIntervals bootstrap(std::span<const double> good, std::span<const double> defective,
                         std::optional<double> threshold, const BootstrapOptions& options);

/// Of the values of resamples; absent where there are none.
std::optional<Interval> interval(std::vector<double> values);

/// The value below which the fraction q of them lies, interpolated linearly between neighbours as
/// numpy's percentile does. values: ascending, not empty.
double quantile(std::span<const double> values, double q);

}  // namespace patchcore::cli
