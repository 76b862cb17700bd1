// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include "config.hpp"
#include "job.hpp"

namespace gstpatchcore {

/// What is painted on a frame, gathered and then blended at once, in the frame's own format.
class OverlayPainter {
 public:
  OverlayPainter(const GstVideoInfo& info, const LiveConfig& live);
  ~OverlayPainter();
  OverlayPainter(const OverlayPainter&) = delete;
  OverlayPainter& operator=(const OverlayPainter&) = delete;

  /// What `overlay` asks for of a result's map. The heatmap is clear below the pixel threshold and
  /// has `opacity` well above; outlines run around what is at or above it. Without a calibration
  /// the heatmap is relative to the map's own range, and there are no outlines.
  void add_map(const Job& job, const PatchcoreBankInfo& bank);

  /// The score at the upper left of where the job looked; normalized, without a calibration raw.
  void add_score(const Job& job, const PatchcoreBankInfo& bank, bool anomalous);

  /// Paints what was added on a writable buffer.
  void blend(GstBuffer* buffer) const;

 private:
  /// pixels: in GstVideoOverlayComposition's format, alpha not premultiplied. Pixels of the frame.
  void add(GstBuffer* pixels, gdouble x, gdouble y, gdouble width, gdouble height);
  bool grey() const;

  const GstVideoInfo& info_;
  const LiveConfig& live_;
  GstVideoOverlayComposition* composition_ = nullptr;  ///< nullptr: nothing was added
};

}  // namespace gstpatchcore
