// SPDX-License-Identifier: LGPL-2.1-or-later
#include "regions.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace patchcore {
namespace {

Region describe(const cv::Mat& stats, int label, int peak, float value, Size size) {
  const auto side = [&](int column) { return static_cast<double>(stats.at<int>(label, column)); };
  const double width = size.width, height = size.height;
  return {{side(cv::CC_STAT_LEFT) / width, side(cv::CC_STAT_TOP) / height,
           side(cv::CC_STAT_WIDTH) / width, side(cv::CC_STAT_HEIGHT) / height},
          value,
          (peak % size.width + 0.5) / width,
          (peak / size.width + 0.5) / height};
}

}  // namespace

std::vector<Region> find_regions(std::span<const float> map, Size size, double threshold) {
  if (map.empty()) return {};
  cv::Mat_<uint8_t> above(size.height, size.width);
  // As doubles: OpenCV would round the threshold to a float, and so could let in what is below it.
  std::transform(map.begin(), map.end(), above.begin(),
                 [&](float value) { return static_cast<double>(value) >= threshold; });
  cv::Mat_<int> labels;
  cv::Mat stats, centroids;
  const int count = cv::connectedComponentsWithStats(above, labels, stats, centroids, 8, CV_32S);

  constexpr int kBackground = 0, kNone = -1;
  std::vector<int> peaks(count, kNone);
  int pixel = 0;
  for (const int label : labels) {
    int& peak = peaks[label];
    if (peak == kNone || map[pixel] > map[peak]) peak = pixel;
    ++pixel;
  }
  std::vector<int> order;
  for (int label = kBackground + 1; label < count; ++label) order.push_back(label);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const float x = map[peaks[a]], y = map[peaks[b]];
    return x > y || (x == y && peaks[a] < peaks[b]);
  });
  std::vector<Region> regions;
  for (const int label : order)
    regions.push_back(describe(stats, label, peaks[label], map[peaks[label]], size));
  return regions;
}

}  // namespace patchcore
