// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "framepreparer.hpp"

namespace gstpatchcore {

/// Frames in the system's memory. The library takes those that has_samples(); others are converted
/// to RGB before.
class SystemPreparer : public FramePreparer {
 public:
  /// nullptr: *why says why not.
  static std::unique_ptr<FramePreparer> make(const GstVideoInfo& info, std::string* why);

  explicit SystemPreparer(const GstVideoInfo& info);
  ~SystemPreparer() override;
  SystemPreparer(const SystemPreparer&) = delete;
  SystemPreparer& operator=(const SystemPreparer&) = delete;

 protected:
  std::optional<View> map(GstBuffer* buffer, GError** error) override;
  bool unmap(GError** error) override;
  bool fill(const Area& area, const View& view, const Preparation& preparation, bool floats,
            Job* job, GError** error) override;

 private:
  bool resize(const PatchcoreImage& image, const Preparation& preparation, bool floats, Job* job,
              GError** error) const;
  bool resize(const PatchcoreSampledImage& image, const Preparation& preparation, bool floats,
              Job* job, GError** error) const;

  const std::optional<PatchcorePixels> pixels_;  ///< of packed RGB
  GstVideoFrame frame_{};                        ///< while one is mapped
  GstVideoFrame converted_{};                    ///< stays mapped, where there is a converter
  ConverterPtr converter_;
};

}  // namespace gstpatchcore
