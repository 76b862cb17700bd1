// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "library.hpp"

namespace gstpatchcore {

/// Raw values as the library normalizes them (Calibration::normalise): n = 0.5 + 0.5 z / (1 + |z|),
/// z = (s - t) / (t - m), with t the threshold and m the median of normal frames. Where these leave
/// no unit, the threshold is one. Only for a calibrated bank.
class Normalization {
 public:
  static Normalization of_scores(const PatchcoreBankInfo& bank) {
    return {bank.threshold, bank.median};
  }
  static Normalization of_maps(const PatchcoreBankInfo& bank) {
    return {bank.pixel_threshold, bank.pixel_median};
  }

  /// 0..1, 0.5 at the threshold.
  gdouble normalized(gdouble raw) const;
  /// The inverse; infinite at 0 and 1.
  gdouble raw(gdouble normalized) const;

 private:
  Normalization(gdouble threshold, gdouble median);

  gdouble threshold_, unit_;
};

}  // namespace gstpatchcore
