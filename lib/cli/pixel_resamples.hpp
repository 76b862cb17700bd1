// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <random>
#include <vector>

#include "bootstrap.hpp"
#include "pixel_histogram.hpp"

namespace patchcore::cli {

/// One image's pixels, or many images', in bins of 1.6 %: some 15 kB.
using CoarsePixels = BasicPixelHistogram<6>;

struct PixelIntervals {
  std::optional<Interval> auroc, aupro;
};

/// Bootstrap over a group of images, whose number is known, of what is measured of their pixels.
/// An image is added to all resamples as soon as it is seen, as often as it was drawn: memory
/// doesn't grow with the number of images.
class PixelResamples {
 public:
  /// A group that all others are added to.
  explicit PixelResamples(const BootstrapOptions& options)
      : resamples_(static_cast<size_t>(options.resamples)) {}

  /// images: in the group. group: another number for each, so that they are drawn apart.
  PixelResamples(size_t images, const BootstrapOptions& options, uint32_t group);

  /// Called at most once for each of the images.
  void add(const CoarsePixels& image);

  /// Of as many resamples.
  void add(const PixelResamples& other);

  /// Of the good and the defective images together.
  static PixelIntervals intervals(const PixelResamples& good, const PixelResamples& defective);

 private:
  uint64_t draw(uint64_t& left);

  std::vector<CoarsePixels> resamples_;
  std::vector<uint64_t> left_;  ///< for each resample how many images are still to be drawn
  size_t images_left_ = 0;
  std::mt19937_64 random_;
};

}  // namespace patchcore::cli
