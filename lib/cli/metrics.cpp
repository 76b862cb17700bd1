// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metrics.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace patchcore::cli {
namespace {

/// How many of each kind have one and the same score.
struct Level {
  double score;
  double good, defective;
};

/// All scores that occur, the largest first.
std::vector<Level> levels(std::span<const double> good, std::span<const double> defective) {
  std::vector<Level> each;
  for (const double score : good) each.push_back({score, 1, 0});
  for (const double score : defective) each.push_back({score, 0, 1});
  std::sort(each.begin(), each.end(),
            [](const Level& a, const Level& b) { return a.score > b.score; });
  std::vector<Level> merged;
  for (const Level& level : each) {
    if (merged.empty() || merged.back().score != level.score) {
      merged.push_back(level);
      continue;
    }
    merged.back().good += level.good;
    merged.back().defective += level.defective;
  }
  return merged;
}

}  // namespace

ImageMetrics image_metrics(std::span<const double> good, std::span<const double> defective) {
  if (good.empty() || defective.empty()) return {};
  const auto negatives = static_cast<double>(good.size());
  const auto positives = static_cast<double>(defective.size());
  double false_alarms = 0, hits = 0;  // at the current threshold
  double above = 0, precision_sum = 0, f1 = 0;
  for (const Level& level : levels(good, defective)) {
    above += level.good * (hits + level.defective / 2);
    false_alarms += level.good;
    hits += level.defective;
    precision_sum += level.defective * hits / (hits + false_alarms);
    f1 = std::max(f1, 2 * hits / (hits + false_alarms + positives));
  }
  return {above / (negatives * positives), precision_sum / positives, f1};
}

PixelHistogram::Block& PixelHistogram::block(size_t exponent) {
  auto& slot = blocks_[exponent];
  if (!slot) slot = std::make_unique<Block>();
  return *slot;
}

void PixelHistogram::add(float value, bool defective) {
  constexpr int kFloatMantissaBits = 23;
  const auto bits = std::bit_cast<uint32_t>(value > 0 ? value : 0.0f);
  Block& bins = block(bits >> kFloatMantissaBits);
  const size_t bin = bits >> (kFloatMantissaBits - kMantissaBits) & (kBlock - 1);
  ++(defective ? bins.defective : bins.good)[bin];
}

void PixelHistogram::add(const PixelHistogram& other) {
  for (size_t exponent = 0; exponent < kExponents; ++exponent) {
    if (!other.blocks_[exponent]) continue;
    Block& bins = block(exponent);
    for (size_t bin = 0; bin < kBlock; ++bin) {
      bins.good[bin] += other.blocks_[exponent]->good[bin];
      bins.defective[bin] += other.blocks_[exponent]->defective[bin];
    }
  }
}

std::optional<double> PixelHistogram::auroc() const {
  double good = 0, defective = 0, above = 0;
  for (const auto& bins : blocks_) {
    if (!bins) continue;
    for (size_t bin = 0; bin < kBlock; ++bin) {
      const auto here = static_cast<double>(bins->good[bin]);
      const auto found = static_cast<double>(bins->defective[bin]);
      above += found * (good + here / 2);
      good += here;
      defective += found;
    }
  }
  if (good == 0 || defective == 0) return std::nullopt;
  return above / (good * defective);
}

}  // namespace patchcore::cli
