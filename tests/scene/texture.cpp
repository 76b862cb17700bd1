// SPDX-License-Identifier: LGPL-2.1-or-later
#include "texture.hpp"

#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace scene {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

int odd_at_least_one(double value) { return 2 * static_cast<int>(value / 2) + 1; }

// The embossed weave of the rubber: crossing ribs that fit a whole number of times into `period`.
double weave(int x, int y, int period, double rib_px) {
  const double step = kTurn * std::round(period / rib_px) / period;
  return std::sin(step * (x + y)) * std::sin(step * (x - y));
}

}  // namespace

Gray grain(cv::Size size, cv::Size2d spot, Random& random) {
  Gray noise(size);
  for (float& value : noise) value = static_cast<float>(random.normal());

  // Two passes of a box make a tent, which hides the box's hard ends.
  const cv::Size box(odd_at_least_one(std::min<double>(spot.width, size.width)),
                     odd_at_least_one(std::min<double>(spot.height, size.height)));
  cv::Mat padded;
  cv::copyMakeBorder(noise, padded, box.height, box.height, box.width, box.width, cv::BORDER_WRAP);
  cv::blur(padded, padded, box);
  cv::blur(padded, padded, box);
  padded(cv::Rect(cv::Point(box.width, box.height), size)).copyTo(noise);

  cv::Scalar mean, deviation;
  cv::meanStdDev(noise, mean, deviation);
  noise = (noise - mean[0]) / std::max(deviation[0], 1e-6);
  return noise;
}

Color rubber_belt(cv::Size size, int period, double px_per_mm, std::uint64_t seed) {
  Random random(derive_seed(seed, Stream::belt));
  const cv::Size tile(period, size.height);
  const double mm = px_per_mm;
  const Gray fine = grain(tile, {0.4 * mm, 0.4 * mm}, random);
  const Gray cloudy = grain(tile, {12 * mm, 9 * mm}, random);
  const Gray streaks = grain(tile, {90 * mm, 0.8 * mm}, random);

  const cv::Vec3f rubber(0.235F, 0.275F, 0.245F);
  Color belt(tile);
  for (int y = 0; y < tile.height; ++y) {
    for (int x = 0; x < tile.width; ++x) {
      const double rib = weave(x, y, period, 3.2 * mm);
      const double shade =
          1 + 0.07 * rib + 0.055 * fine(y, x) + 0.035 * cloudy(y, x) + 0.03 * streaks(y, x);
      belt(y, x) = rubber * static_cast<float>(shade);
    }
  }
  cv::copyMakeBorder(belt, belt, 0, 0, 0, size.width, cv::BORDER_WRAP);
  return belt;
}

}  // namespace scene
