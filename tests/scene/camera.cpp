// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera.hpp"

#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace scene {
namespace {

constexpr int kNoiseMargin = 96;
constexpr double kReadNoise = 1.1;   // deviation in the dark, in steps of 8 bits
constexpr double kShotNoise = 0.02;  // variance added for each step of brightness

// A sum of two slow waves, between -1 and 1.
double drift(double time, double period, Random& random) {
  const double phase = random.uniform(0, 1);
  const double slower = random.uniform(0, 1);
  const auto wave = [](double turns) { return std::sin(2 * std::numbers::pi * turns); };
  return 0.6 * wave(time / period + phase) + 0.4 * wave(time / (2.7 * period) + slower);
}

}  // namespace

Exposure exposure_at(double time, std::uint64_t seed) {
  Random random(derive_seed(seed, Stream::light));
  const double gain = 1 + 0.035 * drift(time, 310, random);
  const double tilt_x = 0.03 + 0.02 * drift(time, 430, random);
  const double tilt_y = -0.02 + 0.015 * drift(time, 370, random);
  const double defocus = 0.62 + 0.1 * drift(time, 250, random);
  return {gain, {tilt_x, tilt_y}, 0.13, defocus};
}

Color expose(const Color& view, const Exposure& exposure) {
  Color lit(view.size());
  for (int y = 0; y < view.rows; ++y) {
    const double v = 2.0 * y / view.rows - 1;
    for (int x = 0; x < view.cols; ++x) {
      const double u = 2.0 * x / view.cols - 1;
      const double fall_off = exposure.vignette * (u * u + v * v) / 2;
      const double even = 1 + exposure.tilt[0] * u + exposure.tilt[1] * v - fall_off;
      lit(y, x) = view(y, x) * static_cast<float>(255 * exposure.gain * even);
    }
  }
  cv::GaussianBlur(lit, lit, {}, exposure.defocus);
  return lit;
}

Sensor::Sensor(cv::Size size, std::uint64_t seed)
    : size_(size), noise_(size + cv::Size(kNoiseMargin, kNoiseMargin)) {
  Random random(derive_seed(seed, Stream::sensor));
  for (cv::Vec3f& value : noise_) {
    for (int i = 0; i < 3; ++i) value[i] = static_cast<float>(random.normal());
  }
}

cv::Mat Sensor::record(const Color& exposed, Random& random) const {
  const int left = random.below(kNoiseMargin + 1);
  const int top = random.below(kNoiseMargin + 1);
  cv::Mat noise;
  cv::flip(noise_(cv::Rect({left, top}, size_)), noise, random.below(3) - 1);

  cv::Mat deviation = cv::max(exposed, 0) * kShotNoise + cv::Scalar::all(kReadNoise * kReadNoise);
  cv::sqrt(deviation, deviation);
  const cv::Mat noisy = exposed + noise.mul(deviation);
  cv::Mat picture;
  noisy.convertTo(picture, CV_8U);
  return picture;
}

}  // namespace scene
