// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace patchcore {

/// What normal frames that the bank has not seen score, and the thresholds that follow.
struct Calibration {
  std::vector<float>
      scores;  ///< of held-out normal frames, ascending; none: imported, or not valid
  std::vector<float> map_peaks;  ///< the largest value of each one's map, ascending
  double threshold = 0;          ///< of the raw score: at or above it a frame is anomalous
  double pixel_threshold = 0;    ///< of the map
  double median = 0;             ///< of scores
  double pixel_median = 0;       ///< of map_peaks
  std::string method;            ///< how the scores were found, for a person

  /// Are there thresholds? They may have been imported, without scores.
  bool valid() const { return !scores.empty() || !method.empty(); }

  /// Thresholds at the (1 - rate) quantile, rounded up to an observation: with fewer than 1 / rate
  /// frames the largest one. rate: false alarms a frame, 0..1.
  static Calibration from_scores(std::vector<float> scores, std::vector<float> map_peaks,
                                 double rate);

  /// See Normalization. Returns NaN where there is no calibration.
  double normalise(double score) const;
};

}  // namespace patchcore
