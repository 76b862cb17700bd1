// SPDX-License-Identifier: LGPL-2.1-or-later
#include "regions.hpp"

#include <array>
#include <limits>
#include <normalization.hpp>

namespace gstpatchcore {

std::vector<AnomalyRegion> find_regions(const PatchcoreResult& result, const Region& input,
                                        gdouble pixel_threshold, const PatchcoreBankInfo& bank) {
  std::array<PatchcoreRegion, 64> found;
  const guint count =
      library().patchcore_result_get_regions(&result, pixel_threshold, found.data(), found.size());
  const patchcore::Normalization scale(bank.pixel_threshold, bank.pixel_median);
  std::vector<AnomalyRegion> regions;
  for (guint i = 0; i < count; ++i) {
    const PatchcoreRegion& r = found[i];
    regions.push_back(
        {input.to_frame_x(r.x), input.to_frame_y(r.y), input.w * r.w, input.h * r.h, r.peak,
         bank.calibrated ? scale.normalized(r.peak) : std::numeric_limits<gdouble>::quiet_NaN(),
         input.to_frame_x(r.peak_x), input.to_frame_y(r.peak_y)});
  }
  return regions;
}

}  // namespace gstpatchcore
