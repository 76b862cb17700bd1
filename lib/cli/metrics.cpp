// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metrics.hpp"

#include <algorithm>

namespace patchcore::cli {
namespace {

struct Totals {
  double good = 0, defective = 0;
};

Totals totals(std::span<const Level> levels) {
  Totals sum;
  for (const Level& level : levels) {
    sum.good += level.good;
    sum.defective += level.defective;
  }
  return sum;
}

}  // namespace

std::vector<Level> score_levels(std::span<const double> good, std::span<const double> defective) {
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

ImageMetrics image_metrics(std::span<const Level> levels, std::optional<double> threshold) {
  const auto [negatives, positives] = totals(levels);
  if (negatives == 0 || positives == 0) return {};
  double false_alarms = 0, hits = 0;  // at the current threshold
  double above = 0, precision_sum = 0, best_f1 = 0, calibrated_f1 = 0;
  for (const Level& level : levels) {
    if (level.good + level.defective == 0) continue;
    above += level.good * (hits + level.defective / 2);
    false_alarms += level.good;
    hits += level.defective;
    precision_sum += level.defective * hits / (hits + false_alarms);
    const double f1 = 2 * hits / (hits + false_alarms + positives);
    best_f1 = std::max(best_f1, f1);
    if (threshold && level.score >= *threshold) calibrated_f1 = f1;
  }
  ImageMetrics metrics{above / (negatives * positives), precision_sum / positives, best_f1, {}};
  if (threshold) metrics.calibrated_f1 = calibrated_f1;
  return metrics;
}

std::vector<CurvePoint> curve(std::span<const Level> levels) {
  const auto [negatives, positives] = totals(levels);
  double false_alarms = 0, hits = 0;
  std::vector<CurvePoint> points;
  for (const Level& level : levels) {
    false_alarms += level.good;
    hits += level.defective;
    points.push_back({false_alarms / negatives, hits / positives, hits / (hits + false_alarms)});
  }
  return points;
}

}  // namespace patchcore::cli
