// SPDX-License-Identifier: LGPL-2.1-or-later
#include "normalization.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gstpatchcore {

Normalization::Normalization(gdouble threshold, gdouble median)
    : threshold_(threshold), unit_(threshold - median) {
  if (!(unit_ > 1e-6 * std::abs(threshold)))
    unit_ = std::max(std::abs(threshold), std::numeric_limits<gdouble>::min());
}

gdouble Normalization::normalized(gdouble raw) const {
  const gdouble z = (raw - threshold_) / unit_;
  return 0.5 + 0.5 * z / (1 + std::abs(z));
}

gdouble Normalization::raw(gdouble normalized) const {
  const gdouble u = 2 * normalized - 1;
  return threshold_ + u / (1 - std::abs(u)) * unit_;
}

}  // namespace gstpatchcore
