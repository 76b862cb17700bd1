// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <string>
#include <vector>

#include "job.hpp"

namespace gstpatchcore {

/// The GstVideoRegionOfInterestMeta of a buffer, as far as they lie within the frame; slivers of
/// less than 8 pixels, or more than 16 times as long as wide, are passed over. type: only these;
/// empty: all but the anomalies that another patchcoredetect has marked.
std::vector<RegionOfInterest> regions_of_interest(GstBuffer* buffer, const GstVideoInfo& info,
                                                  const std::string& type);

}  // namespace gstpatchcore
