// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <optional>
#include <span>
#include <vector>

namespace gstpatchcore {

/// As what regions are attached. Auto: Analytics where available, else Roi.
enum class RegionMeta { Auto, Roi, Analytics, None };

/// A connected part of a frame that is above the pixel threshold. Places are fractions of the
/// frame.
struct AnomalyRegion {
  gdouble x = 0, y = 0, w = 0, h = 0;
  gdouble peak = 0;             ///< largest map value in it, raw units
  gdouble normalized_peak = 0;  ///< 0..1, 0.5 at the pixel threshold; NaN: no calibration
  gdouble peak_x = 0, peak_y = 0;
};

/// Is RegionMeta::Analytics in this build? It needs GStreamer 1.24's analytics library.
bool analytics_available();

/// Puts regions behind what a writable buffer already has, as docs/metadata.md describes it; to a
/// relation meta that is there they are added. frame_width, frame_height: pixels, above 0; result:
/// index of the result in GstPatchCoreMeta that they belong to. False, and nothing attached:
/// Analytics where that isn't available.
bool attach_regions(GstBuffer* buffer, std::span<const AnomalyRegion> regions, guint frame_width,
                    guint frame_height, guint result, RegionMeta kind);

/// A region as a buffer carries it, in pixels of its frame.
struct AttachedRegion {
  gint x, y, width, height;
  const GstStructure* about;  ///< "patchcore-region", the buffer's; nullptr: lost on its way
  std::optional<gdouble> confidence;  ///< of a detection
};

/// All regions of a buffer that attach_regions() gave it.
std::vector<AttachedRegion> attached_regions(GstBuffer* buffer);

}  // namespace gstpatchcore
