// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "detector.hpp"
#include "fit.hpp"
#include "images.hpp"
#include "mask.hpp"
#include "preprocess.hpp"

namespace patchcore::cli {

/// An image that the network has seen.
struct Processed {
  const ImageFile& file;
  Size size;  ///< of the image as stored
  InputGeometry geometry;
  Result result;      ///< of a detector; empty after a fit
  cv::Mat preview{};  ///< RGB, the whole image at another size; empty where none was asked for
  const Preprocess* preprocess = nullptr;  ///< that made the network's input of it
};

/// Which parts of the images count.
using MaskPtr = std::shared_ptr<const Mask>;

using Sink = std::function<void(const Processed&)>;

/// An image as each of some detectors saw it, in their order.
using SinkOfSeveral = std::function<void(std::span<Processed>)>;

/// Images run at a time where nobody says otherwise: enough to use all of a CPU's cores.
inline constexpr int kDefaultBatchSize = 8;

/// Reads the files and scores them with each detector, or adds them to a fit. Neighbours in the
/// list that become inputs of the same sizes share a batch. `sink` gets every image in the list's
/// order, from the calling thread. Throws Error, naming the file, where an image can't be read or
/// brought to a network's input, and where it has another aspect than the mask. mask: may be
/// nullptr. preview_side: pixels of a preview's longer side; 0: no previews.
void score_images(std::span<const std::unique_ptr<const Detector>> detectors, const MaskPtr& mask,
                  std::span<const ImageFile> files, const SinkOfSeveral& sink,
                  int batch_size = kDefaultBatchSize, int preview_side = 0);
void fit_images(Fit& fit, const MaskPtr& mask, std::span<const ImageFile> files, const Sink& sink,
                int batch_size = kDefaultBatchSize);

}  // namespace patchcore::cli
