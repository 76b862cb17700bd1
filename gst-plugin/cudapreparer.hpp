// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cudaframes.hpp"
#include "framepreparer.hpp"

namespace gstpatchcore {

/// Frames in CUDA memory, where one kernel makes the input of them. That stays there where the
/// network is on a GPU; else it, and never the frame, is brought to the host.
class CudaPreparer : public FramePreparer {
 public:
  /// nullptr: *why says why not.
  static std::unique_ptr<FramePreparer> make(const GstVideoInfo& info, std::string* why);

  CudaPreparer(const GstVideoInfo& info, std::unique_ptr<CudaFrames> frames);

 protected:
  std::optional<View> map(GstBuffer* buffer, GError** error) override;
  bool unmap(GError** error) override;
  bool fill(const Area& area, const View& view, const Preparation& preparation, bool floats,
            Job* job, GError** error) override;

 private:
  const std::unique_ptr<CudaFrames> frames_;
  GstVideoFrame frame_{};  ///< while one is mapped
};

}  // namespace gstpatchcore
