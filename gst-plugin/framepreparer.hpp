// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "job.hpp"
#include "samples.hpp"

namespace gstpatchcore {

/// How a frame is to be prepared.
struct Preparation {
  const PatchcorePreprocess* preprocess = nullptr;
  bool takes_cuda_values = false;  ///< the input may stay in a GPU's memory
};

/// Frames of one format as what the network takes: converted to RGB, resized, cropped. Used by the
/// sink pad's thread alone, so that streams prepare side by side and the engine gets small inputs.
class FramePreparer {
 public:
  /// nullptr: the frames can't be read; *why says so.
  static std::unique_ptr<FramePreparer> make(GstCaps* caps, std::string* why);

  virtual ~FramePreparer() = default;

  const GstVideoInfo& info() const { return info_; }

  /// For each region of the frame a job without a detector or fit. Empty: *error is set.
  std::vector<std::unique_ptr<Job>> prepare(GstBuffer* buffer, const Preparation& preparation,
                                            std::span<const Region> regions, GError** error);

 protected:
  explicit FramePreparer(const GstVideoInfo& info) : info_(info) {}

  /// Sets the error of a frame that doesn't hold what its caps say.
  static std::optional<View> unlike_its_caps(GError** error);

  /// Nothing: *error is set.
  virtual std::optional<View> map(GstBuffer* buffer, GError** error) = 0;
  /// False: *error is set.
  virtual bool unmap(GError** error) = 0;
  /// Of a mapped frame: fills in the input of a job that is complete otherwise. area: aligned();
  /// floats: see PatchcoreGeometry. False: *error is set.
  virtual bool fill(const Area& area, const View& view, const Preparation& preparation, bool floats,
                    Job* job, GError** error) = 0;

 private:
  std::unique_ptr<Job> make_job(const Region& region, const View& view,
                                const Preparation& preparation, GError** error);

  const GstVideoInfo info_;
};

}  // namespace gstpatchcore
