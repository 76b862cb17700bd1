// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "batch.hpp"
#include "calibration.hpp"

namespace patchcore::cli {

/// An image to look at.
struct Exhibit {
  double score;
  std::string name;     ///< class/file
  std::string picture;  ///< JPEG
  std::string heatmap;  ///< JPEG of the same size: the picture under its map
  cv::Size size;
};

/// Keeps the images that a detector gets most wrong, small and drawn: the defective ones with the
/// lowest scores and the good ones with the highest. Memory doesn't grow with what is offered.
class Gallery {
 public:
  /// Pixels of an exhibit's longer side.
  static constexpr int kSide = 320;

  /// size: exhibits of each kind at most. calibration: puts the map's threshold in the middle of
  /// the colours; without one each map spans all of them.
  Gallery(size_t size, const Calibration& calibration) : size_(size), calibration_(calibration) {}

  /// image: with a preview. mask: 8-bit, empty where there is none.
  void offer_good(const Processed& image);
  void offer_defective(const Processed& image, const std::string& kind, const cv::Mat& mask);

  /// The worst first.
  const std::vector<Exhibit>& false_alarms() const { return false_alarms_; }
  const std::vector<Exhibit>& misses() const { return misses_; }

 private:
  Exhibit draw(const Processed& image, const std::string& kind, const cv::Mat& mask) const;
  void shade_with(const Processed& image, cv::Mat& picture) const;
  double shade(double value, double least, double largest) const;

  size_t size_;
  const Calibration& calibration_;
  std::vector<Exhibit> false_alarms_, misses_;
};

}  // namespace patchcore::cli
