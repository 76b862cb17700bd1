// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict.hpp"

#include <alarm_rule.hpp>
#include <cmath>
#include <limits>
#include <normalization.hpp>

namespace gstpatchcore {

Verdict::Verdict(const PatchcoreBankInfo& bank, const LiveConfig& live)
    : bank_(bank), threshold_(std::numeric_limits<gdouble>::infinity()) {
  if (live.raw_threshold >= 0) {
    scale_ = Scale::Raw;
    threshold_ = live.raw_threshold;
  } else if (bank.calibrated) {
    scale_ = Scale::Normalized;
    threshold_ = live.threshold;
  }
}

gdouble Verdict::value(const PatchcoreResult& result) const {
  switch (scale_) {
    case Scale::Raw: return result.score;
    case Scale::Normalized: return result.normalized_score;
    case Scale::None: break;
  }
  return std::numeric_limits<gdouble>::quiet_NaN();
}

gdouble Verdict::release(gdouble hysteresis) const {
  const gdouble fall = scale_ == Scale::Raw ? threshold_ * hysteresis : hysteresis;
  return patchcore::AlarmRule::release(threshold_, fall);
}

gdouble Verdict::raw_threshold() const {
  return scale_ == Scale::Normalized
             ? patchcore::Normalization(bank_.threshold, bank_.median).raw(threshold_)
             : threshold_;
}

}  // namespace gstpatchcore
