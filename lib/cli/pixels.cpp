// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pixels.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "error.hpp"

namespace patchcore::cli {
namespace {

constexpr uchar kWhite = 255;

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
  const InputGeometry& g = image.geometry;
  cv::Mat canvas, resized;
  cv::copyMakeBorder(input_map(image), canvas, g.top, g.resized.height - g.input.height - g.top,
                     g.left, g.resized.width - g.input.width - g.left, cv::BORDER_REPLICATE);
  cv::resize(canvas, resized, size, 0, 0, cv::INTER_LINEAR);
  return resized;
}

/// The mask as the network's input would be made of it.
cv::Mat input_mask(const Processed& image, const cv::Mat& mask, const Preprocess& preprocess) {
  const Size input = image.geometry.input;
  if (preprocess.geometry({mask.cols, mask.rows}).input != input)
    throw Error(ErrorCode::Failed, "The mask of \"" + image.file.path.string() +
                                       "\" has another shape than the image.");
  cv::Mat rgb, grey, resized(input.height, input.width, CV_8UC3);
  cv::cvtColor(mask, rgb, cv::COLOR_GRAY2RGB);
  preprocess.resize({rgb.data, rgb.cols, rgb.rows, static_cast<std::ptrdiff_t>(rgb.step)},
                    resized.data);
  cv::extractChannel(resized, grey, 0);
  return grey;
}

/// Of a picture of this size over a part of an image, 1 where a mask lets count.
cv::Mat pixels_that_count(const MaskPtr& mask, const Rectangle& part, cv::Size size) {
  if (!mask) return {};
  const at::Tensor cells = mask->cells(part, size.height, size.width);
  return cv::Mat(size, CV_8U, cells.data_ptr()).clone();
}

/// Numbers the regions; returns how many there are.
int label(const cv::Mat& defective, cv::Mat& regions) {
  constexpr int kEightConnected = 8;
  return cv::connectedComponents(defective, regions, kEightConnected, CV_32S) - 1;
}

/// For each region what a pixel of it is of the whole.
std::vector<double> shares_of(const ComparedPixels& pixels) {
  std::vector<double> shares(static_cast<size_t>(pixels.count) + 1, 0.0);
  if (pixels.count == 0) return shares;
  for (int y = 0; y < pixels.regions.rows; ++y) {
    const int* region = pixels.regions.ptr<int>(y);
    const uchar* counts = pixels.counted.empty() ? nullptr : pixels.counted.ptr(y);
    for (int x = 0; x < pixels.regions.cols; ++x)
      if (!counts || counts[x]) ++shares[static_cast<size_t>(region[x])];
  }
  for (double& share : shares) share = 1 / share;
  return shares;
}

}  // namespace

PixelGeometry parse_pixel_geometry(const std::string& text) {
  if (text == "mask") return PixelGeometry::Mask;
  if (text == "official") return PixelGeometry::Official;
  throw Error(ErrorCode::InvalidArgument,
              "\"" + text + "\" is no pixel geometry; there are mask and official.");
}

cv::Mat input_map(const Processed& image) {
  const at::Tensor& tensor = image.result.map;
  return {static_cast<int>(tensor.size(0)), static_cast<int>(tensor.size(1)), CV_32F,
          tensor.data_ptr()};
}

cv::Rect pixels_inside(const Rectangle& region, cv::Size size) {
  const cv::Range x = pixels_inside(region.x, region.width, size.width);
  const cv::Range y = pixels_inside(region.y, region.height, size.height);
  return {x.start, y.start, std::max(0, x.size()), std::max(0, y.size())};
}

ComparedPixels compare_pixels(const Processed& image, const cv::Mat& mask,
                              const Preprocess& preprocess, PixelGeometry geometry,
                              const MaskPtr& counting) {
  ComparedPixels pixels;
  if (geometry == PixelGeometry::Official) {
    pixels.values = input_map(image);
    pixels.counted = pixels_that_count(counting, image.geometry.region, pixels.values.size());
    if (!mask.empty())
      pixels.count = label(input_mask(image, mask, preprocess) == kWhite, pixels.regions);
    return pixels;
  }
  const cv::Size size = mask.empty() ? cv::Size(image.size.width, image.size.height) : mask.size();
  const cv::Rect inside = pixels_inside(image.geometry.region, size);
  pixels.values = whole_map(image, size)(inside);
  const cv::Mat counted = pixels_that_count(counting, {}, size);
  if (!counted.empty()) pixels.counted = counted(inside);
  if (mask.empty()) return pixels;
  pixels.count = label(mask > kGoodUpTo, pixels.regions);
  pixels.regions = pixels.regions(inside);
  return pixels;
}

template <int Bits>
void count_pixels(const ComparedPixels& pixels, BasicPixelHistogram<Bits>& histogram) {
  const cv::Mat& values = pixels.values;
  const std::vector<double> shares = shares_of(pixels);
  for (int y = 0; y < values.rows; ++y) {
    const auto* value = values.ptr<float>(y);
    const int* region = pixels.count > 0 ? pixels.regions.ptr<int>(y) : nullptr;
    const uchar* counts = pixels.counted.empty() ? nullptr : pixels.counted.ptr(y);
    for (int x = 0; x < values.cols; ++x) {
      if (counts && !counts[x]) continue;
      if (region && region[x] > 0)
        histogram.add_defective(value[x], shares[static_cast<size_t>(region[x])]);
      else
        histogram.add_good(value[x]);
    }
  }
}

template void count_pixels(const ComparedPixels&, PixelHistogram&);
template void count_pixels(const ComparedPixels&, BasicPixelHistogram<6>&);

}  // namespace patchcore::cli
