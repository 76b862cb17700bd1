// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pixels.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

namespace patchcore::cli {
namespace {

constexpr uchar kDefective = 127;  // above it

cv::Range pixels_inside(double start, double length, int size) {
  // Region borders are fractions of whole pixels: what rounding makes of them must not move one.
  constexpr double kSlack = 1e-6;
  const double first = start * size - 0.5, last = (start + length) * size - 0.5;
  return {std::max(0, static_cast<int>(std::ceil(first - kSlack))),
          std::min(size, static_cast<int>(std::ceil(last - kSlack)))};
}

/// The map at the size of the whole image. A crop is undone first, at the scale where it was made
/// of whole pixels; around it the border's values are repeated.
cv::Mat whole_map(const Processed& image, cv::Size size) {
  const at::Tensor& tensor = image.result.map;
  const cv::Mat map(static_cast<int>(tensor.size(0)), static_cast<int>(tensor.size(1)), CV_32F,
                    tensor.data_ptr());
  const InputGeometry& g = image.geometry;
  cv::Mat canvas, resized;
  cv::copyMakeBorder(map, canvas, g.top, g.resized.height - g.input.height - g.top, g.left,
                     g.resized.width - g.input.width - g.left, cv::BORDER_REPLICATE);
  cv::resize(canvas, resized, size, 0, 0, cv::INTER_LINEAR);
  return resized;
}

}  // namespace

cv::Rect pixels_inside(const Rectangle& region, cv::Size size) {
  const cv::Range x = pixels_inside(region.x, region.width, size.width);
  const cv::Range y = pixels_inside(region.y, region.height, size.height);
  return {x.start, y.start, std::max(0, x.size()), std::max(0, y.size())};
}

void count_pixels(const Processed& image, const cv::Mat& mask, PixelHistogram& histogram) {
  const cv::Mat map = whole_map(image, mask.size());
  const cv::Rect inside = pixels_inside(image.geometry.region, mask.size());
  for (int y = inside.y; y < inside.y + inside.height; ++y) {
    const auto* values = map.ptr<float>(y);
    const auto* truth = mask.ptr<uchar>(y);
    for (int x = inside.x; x < inside.x + inside.width; ++x)
      histogram.add(values[x], truth[x] > kDefective);
  }
}

}  // namespace patchcore::cli
