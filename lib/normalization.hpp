// SPDX-License-Identifier: LGPL-2.1-or-later
// Plain numbers without LibTorch, so that the plugin has it from here too.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace patchcore {

/// Raw values on a scale from 0 to 1, with 0.5 at the threshold: z = (s - t) / (t - m),
/// n = 0.5 + 0.5 z / (1 + |z|), where t is the threshold and m the median of normal frames. In
/// (0, 1), order kept.
class Normalization {
 public:
  Normalization(double threshold, double median)
      : threshold_(threshold), unit_(threshold - median) {
    // Normal frames that all score the same leave no unit; the threshold itself is one then.
    // It is only just above their score, see Calibration::from_frames().
    if (!(unit_ > 1e-6 * std::abs(threshold)))
      unit_ = std::max(std::abs(threshold), std::numeric_limits<double>::min());
  }

  double normalized(double raw) const {
    const double z = (raw - threshold_) / unit_;
    return 0.5 + 0.5 * z / (1 + std::abs(z));
  }

  /// The inverse; infinite at 0 and 1.
  double raw(double normalized) const {
    const double u = 2 * normalized - 1;
    return threshold_ + u / (1 - std::abs(u)) * unit_;
  }

  /// Raw values in steps from the median to the threshold: 0 at one, 1 at the other.
  double relative(double raw) const { return 1 + (raw - threshold_) / unit_; }

 private:
  double threshold_, unit_;
};

}  // namespace patchcore
