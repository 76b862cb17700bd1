// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include "engine.hpp"

namespace gstpatchcore {

/// Lays the anomaly map over a frame as colours of the turbo map, opaque where it is anomalous: a
/// normal frame stays clear. Without a calibrated bank the map is drawn relative to its own range.
/// frame: a writable buffer of `info`'s format; opacity 0..1.
void blend_heatmap(GstBuffer* buffer, const GstVideoInfo& info, const Job& job,
                   const PatchcoreBankInfo& bank, gdouble opacity);

}  // namespace gstpatchcore
