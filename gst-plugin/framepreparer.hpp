// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "job.hpp"

namespace gstpatchcore {

/// Frames of one format as what the network takes: converted to RGB where the library doesn't take
/// the format as it is, resized, cropped. Used by the sink pad's thread alone, so that streams
/// prepare side by side and the engine gets small inputs.
class FramePreparer {
 public:
  explicit FramePreparer(const GstVideoInfo& info);
  ~FramePreparer();
  FramePreparer(const FramePreparer&) = delete;
  FramePreparer& operator=(const FramePreparer&) = delete;

  /// False: the frames can't be converted from this format.
  bool usable() const;

  const GstVideoInfo& info() const { return info_; }

  /// For each region of the frame a job without a detector or fit. Empty: *error is set.
  std::vector<std::unique_ptr<Job>> prepare(GstBuffer* buffer,
                                            const PatchcorePreprocess* preprocess,
                                            std::span<const Region> regions, GError** error);

 private:
  /// The frame's own pixels, or converted_ with them.
  PatchcoreImage image_of(const GstVideoFrame& frame);

  const GstVideoInfo info_;
  const std::optional<PatchcorePixels> pixels_;  ///< of frames that need no conversion
  GstVideoFrame converted_{};                    ///< stays mapped
  ConverterPtr converter_;
};

}  // namespace gstpatchcore
