// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "config.hpp"
#include "library.hpp"

namespace gstpatchcore {

/// Where the line between normal and anomalous lies for a frame: the calibrated bank's normalized
/// score against `threshold`, or the raw score against `raw-threshold`, which goes before.
class Verdict {
 public:
  Verdict(const PatchcoreBankInfo& bank, const LiveConfig& live);

  enum class Scale { None, Normalized, Raw };
  /// What is compared; None: there is no line, and nothing is anomalous.
  Scale scale() const { return scale_; }
  gdouble threshold() const { return threshold_; }

  /// On the scale that is compared; NaN where there is none.
  gdouble value(const PatchcoreResult& result) const;
  bool anomalous(const PatchcoreResult& result) const { return value(result) >= threshold_; }

  /// Where an alarm ends that began at threshold(): `hysteresis` below it on the normalized scale,
  /// that share below it on the raw one; no lower than half the threshold.
  gdouble release(gdouble hysteresis) const;

  /// The line on the raw scale; infinite where no score can reach it, or there is none.
  gdouble raw_threshold() const;

 private:
  const PatchcoreBankInfo& bank_;
  Scale scale_ = Scale::None;
  gdouble threshold_;
};

}  // namespace gstpatchcore
