// SPDX-License-Identifier: LGPL-2.1-or-later
#include "augmentation.hpp"

#include <opencv2/imgproc.hpp>
#include <random>

namespace patchcore {
namespace {

constexpr double kMostShift = 0.04;       // of a side
constexpr double kMostBrightening = 0.2;  // either way
constexpr double kWhite = 255;

/// Uniform in [-1, 1); std's own distributions differ from library to library.
double draw(std::mt19937_64& random) { return std::ldexp(static_cast<double>(random()), -63) - 1; }

void shift(const cv::Mat& from, std::mt19937_64& random, cv::Mat& to) {
  const double x = draw(random), y = draw(random);
  const cv::Matx23d move(1, 0, std::round(x * kMostShift * from.cols),  //
                         0, 1, std::round(y * kMostShift * from.rows));
  cv::warpAffine(from, to, move, from.size(), cv::INTER_NEAREST, cv::BORDER_REPLICATE);
}

void augment(Augmentation kind, const cv::Mat& from, uint64_t seed, int64_t frame, cv::Mat& to) {
  std::seed_seq seeds{seed & 0xffffffff, seed >> 32, static_cast<uint64_t>(frame) & 0xffffffff,
                      static_cast<uint64_t>(frame) >> 32, static_cast<uint64_t>(kind)};
  std::mt19937_64 random(seeds);
  switch (kind) {
    case Augmentation::FlipX: cv::flip(from, to, 1); break;
    case Augmentation::FlipY: cv::flip(from, to, 0); break;
    case Augmentation::Shift: shift(from, random, to); break;
    case Augmentation::Brightness:
      from.convertTo(to, -1, 1 + kMostBrightening * draw(random));
      cv::min(to, kWhite, to);
      break;
  }
}

template <typename Value>
void augment_values(Augmentation kind, const Value* rgb, Size size, uint64_t seed, int64_t frame,
                    Value* out) {
  constexpr int kType = CV_MAKETYPE(cv::DataType<Value>::depth, 3);
  // cv::Mat has no read-only view.
  const cv::Mat from(size.height, size.width, kType, const_cast<Value*>(rgb));
  cv::Mat to(size.height, size.width, kType, out);
  augment(kind, from, seed, frame, to);
}

}  // namespace

void augment(Augmentation kind, const uint8_t* rgb, Size size, uint64_t seed, int64_t frame,
             uint8_t* out) {
  augment_values(kind, rgb, size, seed, frame, out);
}

void augment(Augmentation kind, const float* rgb, Size size, uint64_t seed, int64_t frame,
             float* out) {
  augment_values(kind, rgb, size, seed, frame, out);
}

}  // namespace patchcore
