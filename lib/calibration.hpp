// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "monitor.hpp"

namespace patchcore {

/// How often normal frames may raise an alarm.
struct FalseAlarms {
  double rate = 0.01;   ///< share of frames at or above the threshold, [0, 1)
  double per_hour = 0;  ///< alarms an hour of video, instead of a rate; 0: by rate
};

/// What alarms are counted with, see AlarmRule; the element's defaults.
struct Video {
  double seconds = 0;  ///< that the frames last; 0: unknown, or no video
  unsigned alarm_frames = 3;
  double alarm_hysteresis = 0.05;  ///< of the normalized score
};

/// A frame that the bank which scored it has not seen.
struct HeldOut {
  float score;
  float map_peak;  ///< the largest value of its map
};

/// What normal frames that the bank has not seen score, and the thresholds that follow.
struct Calibration {
  std::vector<float>
      scores;  ///< of held-out normal frames, ascending; none: imported, or not valid
  std::vector<float> map_peaks;  ///< the largest value of each one's map, ascending
  double threshold = 0;          ///< of the raw score: at or above it a frame is anomalous
  double pixel_threshold = 0;    ///< of the map
  double median = 0;             ///< of scores
  double pixel_median = 0;       ///< of map_peaks
  double hours = 0;              ///< that the frames last; 0: unknown
  int64_t alarms = 0;            ///< that they would raise at the threshold; counts where hours do
  std::string method;            ///< how the scores were found, for a person

  /// Are there thresholds? They may have been imported, without scores.
  bool valid() const { return !scores.empty() || !method.empty(); }

  /// frames: in their order. The threshold is just above an observation:
  /// - of a rate, the (1 - rate) quantile, rounded up: with fewer than 1 / rate frames the largest;
  /// - of alarms an hour, the lowest that makes no more, where one that goes on counts anew with
  ///   each alarm_frames frames: else the lowest of all would do, with a single alarm without end.
  ///   The largest where the frames are too few for a single alarm. Needs the video's length.
  /// The pixel threshold leaves as large a share of the maps above it as the threshold of frames.
  /// Throws Error: InvalidArgument where alarms an hour are asked for without a length; Cancelled.
  static Calibration from_frames(const std::vector<HeldOut>& frames, const FalseAlarms& wanted,
                                 const Video& video = {}, const Monitor& monitor = {});

  /// Held-out frames at or above the threshold.
  int64_t false_alarms() const;

  /// See Normalization. Returns NaN where there is no calibration.
  double normalise(double score) const;
};

}  // namespace patchcore
