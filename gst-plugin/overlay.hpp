// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <vector>

#include "config.hpp"
#include "job.hpp"
#include "picture.hpp"

namespace gstpatchcore {

/// Gathers what is painted on a frame; a FramePainter then does it.
class OverlayPainter {
 public:
  /// Both are kept by the caller.
  OverlayPainter(const GstVideoInfo& info, const LiveConfig& live) : info_(info), live_(live) {}

  /// What `overlay` asks for of a result's map. The heatmap is clear below the pixel threshold and
  /// has `opacity` well above; outlines run around what is at or above it. Without a calibration
  /// the heatmap is relative to the map's own range, and there are no outlines.
  void add_map(const Job& job, const PatchcoreBankInfo& bank);

  /// The score at the upper left of where the job looked; normalized, without a calibration raw.
  void add_score(const Job& job, const PatchcoreBankInfo& bank, bool anomalous);

  const std::vector<PlacedPicture>& pictures() const { return pictures_; }

 private:
  Picture painted_map(const Job& job, const PatchcoreBankInfo& bank, bool heat, bool rims) const;
  void paint_rims(const Job& job, gdouble threshold, Picture* picture) const;
  bool grey() const { return GST_VIDEO_INFO_IS_GRAY(&info_); }

  const GstVideoInfo& info_;
  const LiveConfig& live_;
  std::vector<PlacedPicture> pictures_;
};

}  // namespace gstpatchcore
