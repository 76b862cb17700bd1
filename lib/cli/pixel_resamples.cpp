// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pixel_resamples.hpp"

#include <cmath>

namespace patchcore::cli {
namespace {

std::mt19937_64 generator(uint64_t seed, uint32_t group) {
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), group};
  return std::mt19937_64(words);
}

}  // namespace

PixelResamples::PixelResamples(size_t images, const BootstrapOptions& options, uint32_t group)
    : resamples_(static_cast<size_t>(options.resamples)),
      left_(resamples_.size(), images),
      images_left_(images),
      random_(generator(options.seed, group)) {}

/// How often the next image is among those that are left to be drawn: binomial, by inversion, as
/// the standard's distribution is not the same everywhere.
uint64_t PixelResamples::draw(uint64_t& left) {
  uint64_t times = left;
  if (images_left_ > 1) {
    const double p = 1 / static_cast<double>(images_left_);
    const double u = static_cast<double>(random_() >> 11) * 0x1p-53;
    double chance = std::pow(1 - p, static_cast<double>(left)), sum = chance;
    for (times = 0; u >= sum && times < left; sum += chance) {
      chance *= static_cast<double>(left - times) / static_cast<double>(times + 1) * p / (1 - p);
      ++times;
    }
  }
  left -= times;
  return times;
}

void PixelResamples::add(const CoarsePixels& image) {
  for (size_t i = 0; i < resamples_.size(); ++i)
    if (const uint64_t times = draw(left_[i])) resamples_[i].add(image, times);
  --images_left_;
}

void PixelResamples::add(const PixelResamples& other) {
  for (size_t i = 0; i < resamples_.size(); ++i) resamples_[i].add(other.resamples_[i]);
}

PixelIntervals PixelResamples::intervals(const PixelResamples& good,
                                         const PixelResamples& defective) {
  std::vector<double> auroc, aupro;
  for (size_t i = 0; i < good.resamples_.size(); ++i) {
    CoarsePixels both;
    both.add(good.resamples_[i]);
    both.add(defective.resamples_[i]);
    if (const auto value = both.auroc()) auroc.push_back(*value);
    if (const auto value = both.aupro()) aupro.push_back(*value);
  }
  return {interval(std::move(auroc)), interval(std::move(aupro))};
}

}  // namespace patchcore::cli
