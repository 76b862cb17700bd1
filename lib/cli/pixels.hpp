// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "batch.hpp"
#include "pixel_histogram.hpp"

namespace patchcore::cli {

/// Masks are 8-bit; a value above this is defective.
inline constexpr uchar kGoodUpTo = 127;

/// At which size an anomaly map and a mask are compared.
enum class PixelGeometry {
  /// The mask's own: the map is brought to it, bilinearly. Above 127 is defective.
  Mask,
  /// The network's input, as in the code of PatchCore's authors: the mask is resized and cropped as
  /// a picture is, and what is not fully white then counts as good.
  Official,
};

/// "mask", "official"; throws Error(InvalidArgument).
PixelGeometry parse_pixel_geometry(const std::string& text);

/// The anomaly map as it is, float, at the network's input size; the memory stays the image's.
cv::Mat input_map(const Processed& image);

/// The pixels of an image of `size` whose centres lie in `region`.
cv::Rect pixels_inside(const Rectangle& region, cv::Size size);

/// A map and the truth about it, pixel by pixel: what a crop left out isn't there.
struct ComparedPixels {
  cv::Mat values;     ///< float; the memory may be the image's
  cv::Mat regions;    ///< int32 of the same size: 0 good, else the number of a defective region
  int count = 0;      ///< of regions, some of which may lie outside
  cv::Mat counted{};  ///< 8-bit of the same size: 0 where a mask leaves out; empty: all counts
};

/// mask: 8-bit, empty where all is good. Regions are 8-connected, in the whole mask of
/// PixelGeometry::Mask: a crop doesn't part one. Throws Error(Failed) where an Official mask
/// doesn't come to the size of the network's input. counting: which parts of the image are
/// compared; nullptr: all.
ComparedPixels compare_pixels(const Processed& image, const cv::Mat& mask,
                              const Preprocess& preprocess, PixelGeometry geometry,
                              const MaskPtr& counting = nullptr);

template <int Bits>
void count_pixels(const ComparedPixels& pixels, BasicPixelHistogram<Bits>& histogram);

}  // namespace patchcore::cli
