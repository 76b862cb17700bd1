// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace patchcore::cli {
namespace {

constexpr double kOutside = 0.05;  // of the resamples, half of them on each side

/// Draws a number below `count`; std::uniform_int_distribution is not the same everywhere.
size_t draw(std::mt19937_64& random, size_t count) {
  return static_cast<size_t>((random() >> 32) * count >> 32);
}

/// For each score the index of its level.
std::vector<size_t> level_of(std::span<const double> scores, std::span<const Level> levels) {
  std::vector<size_t> indices;
  for (const double score : scores) {
    const auto found =
        std::lower_bound(levels.begin(), levels.end(), score,
                         [](const Level& level, double value) { return level.score > value; });
    indices.push_back(static_cast<size_t>(found - levels.begin()));
  }
  return indices;
}

class Resampler {
 public:
  Resampler(std::span<const double> good, std::span<const double> defective, uint64_t seed)
      : levels_(score_levels(good, defective)),
        good_(level_of(good, levels_)),
        defective_(level_of(defective, levels_)),
        random_(seed) {}

  /// Valid until the next call.
  std::span<const Level> next() {
    for (Level& level : levels_) level.good = level.defective = 0;
    for (size_t i = 0; i < good_.size(); ++i) ++levels_[good_[draw(random_, good_.size())]].good;
    for (size_t i = 0; i < defective_.size(); ++i)
      ++levels_[defective_[draw(random_, defective_.size())]].defective;
    return levels_;
  }

 private:
  std::vector<Level> levels_;
  std::vector<size_t> good_, defective_;
  std::mt19937_64 random_;
};

}  // namespace

double quantile(std::span<const double> values, double q) {
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

std::optional<Interval> interval(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  return Interval{quantile(values, kOutside / 2), quantile(values, 1 - kOutside / 2)};
}

ImageIntervals bootstrap(std::span<const double> good, std::span<const double> defective,
                         std::optional<double> threshold, const BootstrapOptions& options) {
  if (good.empty() || defective.empty()) return {};
  Resampler resampler(good, defective, options.seed);
  std::vector<double> auroc, average_precision, best_f1, calibrated_f1;
  for (int i = 0; i < options.resamples; ++i) {
    const ImageMetrics metrics = image_metrics(resampler.next(), threshold);
    auroc.push_back(*metrics.auroc);
    average_precision.push_back(*metrics.average_precision);
    best_f1.push_back(*metrics.best_f1);
    if (metrics.calibrated_f1) calibrated_f1.push_back(*metrics.calibrated_f1);
  }
  return {interval(std::move(auroc)), interval(std::move(average_precision)),
          interval(std::move(best_f1)), interval(std::move(calibrated_f1))};
}

}  // namespace patchcore::cli
