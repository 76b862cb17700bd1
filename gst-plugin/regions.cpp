// SPDX-License-Identifier: LGPL-2.1-or-later
#include "regions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace gstpatchcore {
namespace {

/// As frames' scores are normalized: 0.5 at the threshold; where normal frames leave no unit, the
/// threshold is one.
gdouble normalized(gdouble value, const PatchcoreBankInfo& bank) {
  if (!bank.calibrated) return std::numeric_limits<gdouble>::quiet_NaN();
  gdouble unit = bank.pixel_threshold - bank.pixel_median;
  if (!(unit > 1e-6 * std::abs(bank.pixel_threshold)))
    unit = std::max(std::abs(bank.pixel_threshold), std::numeric_limits<gdouble>::min());
  const gdouble z = (value - bank.pixel_threshold) / unit;
  return 0.5 + 0.5 * z / (1 + std::abs(z));
}

}  // namespace

std::vector<AnomalyRegion> find_regions(const PatchcoreResult& result, const Region& input,
                                        gdouble pixel_threshold, const PatchcoreBankInfo& bank) {
  std::array<PatchcoreRegion, 64> found;
  const guint count =
      library().patchcore_result_get_regions(&result, pixel_threshold, found.data(), found.size());
  std::vector<AnomalyRegion> regions;
  for (guint i = 0; i < count; ++i) {
    const PatchcoreRegion& r = found[i];
    regions.push_back({input.to_frame_x(r.x), input.to_frame_y(r.y), input.w * r.w, input.h * r.h,
                       r.peak, normalized(r.peak, bank), input.to_frame_x(r.peak_x),
                       input.to_frame_y(r.peak_y)});
  }
  return regions;
}

}  // namespace gstpatchcore
