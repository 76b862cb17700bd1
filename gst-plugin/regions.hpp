// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "job.hpp"
#include "regionmeta.hpp"

namespace gstpatchcore {

/// The parts of a frame whose map is at or above `pixel_threshold` (raw units), the worst first, at
/// most 64. input: where the map lies in the frame. bank: whose calibration normalizes the peaks.
/// Any thread, after open_library().
std::vector<AnomalyRegion> find_regions(const PatchcoreResult& result, const Region& input,
                                        gdouble pixel_threshold, const PatchcoreBankInfo& bank);

}  // namespace gstpatchcore
