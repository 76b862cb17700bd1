// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plots.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "output.hpp"
#include "svg_axes.hpp"

namespace patchcore::cli {
namespace {

constexpr int kBars = 50;
constexpr int kWidth = 1060, kCurveWidth = 520, kHeight = 300, kCurveHeight = 400;  // pixels
constexpr Span kFraction{0, 1};

/// A little more than all that is to be seen.
Span range_of(std::span<const double> good, std::span<const double> defective,
              std::optional<double> threshold) {
  std::vector<double> all(good.begin(), good.end());
  all.insert(all.end(), defective.begin(), defective.end());
  if (threshold) all.push_back(*threshold);
  const auto [least, largest] = std::minmax_element(all.begin(), all.end());
  const double room =
      *largest > *least ? (*largest - *least) * 0.02 : std::max(std::abs(*least) * 0.1, 1e-6);
  return {*least - room, *largest + room};
}

/// The share of the scores, in per cent, that each of kBars equal parts of the range has.
std::vector<double> shares(std::span<const double> scores, Span range) {
  std::vector<double> bars(kBars, 0.0);
  for (const double score : scores) {
    const double place = (score - range.first) / range.length() * kBars;
    bars[static_cast<size_t>(std::clamp(place, 0.0, kBars - 1.0))] +=
        100.0 / static_cast<double>(scores.size());
  }
  return bars;
}

void bars(SvgAxes& axes, const std::vector<double>& shares, Span range, const char* kind) {
  const double width = range.length() / kBars;
  for (int i = 0; i < kBars; ++i) {
    const double first = range.first + i * width, share = shares[static_cast<size_t>(i)];
    if (share > 0) axes.bar({first, first + width}, share, kind);
  }
}

/// The index of the last level at or above the threshold, if there is one.
std::optional<size_t> level_at(std::span<const Level> levels, double threshold) {
  size_t above = 0;
  while (above < levels.size() && levels[above].score >= threshold) ++above;
  if (above == 0) return std::nullopt;
  return above - 1;
}

}  // namespace

std::string histogram_plot(std::span<const double> good, std::span<const double> defective,
                           std::optional<double> threshold) {
  const Span range = range_of(good, defective, threshold);
  const auto normal = shares(good, range), anomalous = shares(defective, range);
  const double tallest = std::max(*std::max_element(normal.begin(), normal.end()),
                                  *std::max_element(anomalous.begin(), anomalous.end()));
  SvgAxes axes(kWidth, kHeight, range, {0, tallest * 1.15},
               {"Histogram of the scores of good and of defective images", "score",
                "% of the images of a kind"});
  bars(axes, normal, range, "good");
  bars(axes, anomalous, range, "defective");
  if (threshold) axes.vertical(*threshold, "threshold " + digits(*threshold), "threshold");
  axes.legend("good (" + std::to_string(good.size()) + ")", "good");
  axes.legend("defective (" + std::to_string(defective.size()) + ")", "defective");
  return axes.finish();
}

std::string roc_plot(std::span<const Level> levels, std::optional<double> threshold) {
  SvgAxes axes(kCurveWidth, kCurveHeight, kFraction, kFraction,
               {"ROC curve of all images", "false positive rate", "true positive rate"});
  const auto points = curve(levels);
  std::vector<Point> line{{0, 0}};
  for (const CurvePoint& point : points) line.push_back({point.false_positive_rate, point.recall});
  axes.line({{0, 0}, {1, 1}}, "chance");
  axes.line(line, "curve");
  if (!threshold) return axes.finish();
  const auto at = level_at(levels, *threshold);
  axes.mark(at ? Point{points[*at].false_positive_rate, points[*at].recall} : Point{0, 0},
            "threshold");
  return axes.finish();
}

std::string precision_recall_plot(std::span<const Level> levels, std::optional<double> threshold) {
  SvgAxes axes(kCurveWidth, kCurveHeight, kFraction, kFraction,
               {"Precision-recall curve of all images", "recall", "precision"});
  const auto points = curve(levels);
  std::vector<Point> line;  // in steps, as average precision sums it up
  double recall = 0;
  for (const CurvePoint& point : points) {
    line.push_back({recall, point.precision});
    recall = point.recall;
    line.push_back({recall, point.precision});
  }
  axes.line(line, "curve");
  const auto at = threshold ? level_at(levels, *threshold) : std::nullopt;
  if (at) axes.mark({points[*at].recall, points[*at].precision}, "threshold");
  return axes.finish();
}

}  // namespace patchcore::cli
