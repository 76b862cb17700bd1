// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <span>
#include <vector>

#include "job.hpp"

namespace gstpatchcore {

/// Frames of one format as what the network takes: converted to RGB, resized, cropped. Used by the
/// sink pad's thread alone, so that streams prepare side by side and the engine gets small inputs.
class FramePreparer {
 public:
  explicit FramePreparer(const GstVideoInfo& info);
  ~FramePreparer();
  FramePreparer(const FramePreparer&) = delete;
  FramePreparer& operator=(const FramePreparer&) = delete;

  /// False: there is no conversion to RGB from this format.
  bool usable() const;

  const GstVideoInfo& info() const { return info_; }

  /// For each region of the frame a job without a detector or fit. Empty: *error is set.
  std::vector<std::unique_ptr<Job>> prepare(GstBuffer* buffer,
                                            const PatchcorePreprocess* preprocess,
                                            std::span<const Region> regions, GError** error);

 private:
  /// The frame's own pixels, or rgb_ with them converted.
  PatchcoreImage as_rgb(const GstVideoFrame& frame);

  const GstVideoInfo info_;
  GstVideoFrame rgb_{};  ///< stays mapped
  ConverterPtr converter_;
};

}  // namespace gstpatchcore
