// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cudaframes.hpp"
#include "framepainter.hpp"

namespace gstpatchcore {

/// Paints on frames in CUDA memory: the pictures go there, not the frame to them.
class CudaPainter : public FramePainter {
 public:
  /// nullptr: frames in CUDA memory can't be taken.
  static std::unique_ptr<FramePainter> make(const GstVideoInfo& info);

  CudaPainter(const GstVideoInfo& info, std::unique_ptr<CudaFrames> frames);

  bool paint(GstBuffer* buffer, std::span<const PlacedPicture> pictures) override;

 private:
  bool paint(const GstVideoFrame& frame, const PlacedPicture& placed);

  const GstVideoInfo info_;
  const std::unique_ptr<CudaFrames> frames_;
};

}  // namespace gstpatchcore
