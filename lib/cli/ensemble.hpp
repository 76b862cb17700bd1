// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "batch.hpp"
#include "detector.hpp"

namespace patchcore::cli {

/// One bank, or several that look at the same images, such as at one size each. Of several an
/// image's score is the largest of theirs, each in its own steps, 0 at the median of normal images
/// and 1 at the threshold (Normalization::relative); the map is the mean of theirs, in their pixel
/// thresholds. docs/accuracy.md has what else was tried.
class Ensemble {
 public:
  /// detectors: one or more. mask: which parts of the images count; nullptr: all. Throws
  /// Error(Incompatible), naming the bank, where one of several has no threshold.
  Ensemble(std::vector<std::unique_ptr<const Detector>> detectors, MaskPtr mask);

  std::span<const std::unique_ptr<const Detector>> detectors() const { return detectors_; }
  const MaskPtr& mask() const { return mask_; }

  /// Of what score() finds.
  const Calibration& calibration() const { return calibration_; }

  /// See score_images(). Of several banks an image's map has the size of the largest input. Throws
  /// also Error(Incompatible) where they see another part of an image each.
  void score(std::span<const ImageFile> files, const Sink& sink, int preview_side = 0) const;

 private:
  Processed joined(std::span<Processed> seen) const;

  std::vector<std::unique_ptr<const Detector>> detectors_;
  MaskPtr mask_;
  Calibration calibration_;
};

}  // namespace patchcore::cli
