// SPDX-License-Identifier: LGPL-2.1-or-later
// How well scores part the defective images from the good ones, exactly. All metrics are fractions,
// 0..1; one that compares two groups is absent where one of them is empty.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace patchcore::cli {

/// How many images of each kind have one and the same score.
struct Level {
  double score;
  double good, defective;
};

/// All scores that occur, the largest first.
std::vector<Level> score_levels(std::span<const double> good, std::span<const double> defective);

struct ImageMetrics {
  std::optional<double> auroc;  ///< chance that a defective one scores above a good one; ties half
  std::optional<double>
      average_precision;                ///< sum of (R_n - R_n-1) P_n, as scikit-learn defines it
  std::optional<double> best_f1;        ///< F1 at the threshold that makes it largest
  std::optional<double> calibrated_f1;  ///< F1 at the threshold that was given, if one was
};

/// threshold: at or above it an image counts as defective. levels: the largest score first; one
/// that nobody has counts for nothing.
ImageMetrics image_metrics(std::span<const Level> levels, std::optional<double> threshold = {});

/// A point of the curves, at the threshold of one level.
struct CurvePoint {
  double false_positive_rate, recall, precision;
};

/// The points of the ROC and the precision-recall curve, one a level, the largest score first.
/// Neither kind may be empty.
std::vector<CurvePoint> curve(std::span<const Level> levels);

}  // namespace patchcore::cli
