// SPDX-License-Identifier: LGPL-2.1-or-later
#include "calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "alarm_rule.hpp"
#include "error.hpp"
#include "normalization.hpp"

namespace patchcore {
namespace {

/// Just above the observation that `above` are larger than: a frame exactly like it is still
/// normal.
double bound_above(const std::vector<float>& ascending, size_t above) {
  const float observed = ascending[ascending.size() - 1 - std::min(above, ascending.size() - 1)];
  return std::nextafter(observed, std::numeric_limits<float>::infinity());
}

double median(const std::vector<float>& ascending) {
  const size_t middle = ascending.size() / 2;
  return ascending.size() % 2 ? ascending[middle]
                              : (ascending[middle - 1] + ascending[middle]) / 2.0;
}

int64_t alarms_at(double threshold, double median, const std::vector<HeldOut>& frames,
                  const Video& video) {
  // The threshold itself is 0.5.
  const double release =
      Normalization(threshold, median).raw(AlarmRule::release(0.5, video.alarm_hysteresis));
  AlarmRule rule;
  int64_t alarms = 0;
  for (const HeldOut& frame : frames) {
    const auto change =
        rule.update(frame.score >= threshold, frame.score < release, video.alarm_frames);
    alarms += change == AlarmRule::Change::Start;
  }
  return alarms;
}

/// No fewer than alarms_at(): an alarm that goes on counts anew with each `alarm_frames` frames. A
/// lower threshold never makes fewer of these, as it makes of alarms that grow together.
int64_t bound_of_alarms(double threshold, const std::vector<HeldOut>& frames,
                        unsigned alarm_frames) {
  int64_t count = 0;
  unsigned in_a_row = 0;
  for (const HeldOut& frame : frames) {
    in_a_row = frame.score >= threshold ? in_a_row + 1 : 0;
    count += in_a_row > 0 && in_a_row % alarm_frames == 0;
  }
  return count;
}

/// How many scores the threshold may leave above it so that there are no more alarms than
/// `allowed`.
size_t exceeding_for(int64_t allowed, const std::vector<float>& ascending,
                     const std::vector<HeldOut>& frames, const Video& video,
                     const Monitor& monitor) {
  size_t fits = 0, too_many = allowed == 0 ? 1 : ascending.size();
  while (too_many - fits > 1) {
    monitor.check();
    const size_t middle = fits + (too_many - fits) / 2;
    const double threshold = bound_above(ascending, middle);
    (bound_of_alarms(threshold, frames, video.alarm_frames) > allowed ? too_many : fits) = middle;
  }
  return fits;
}

}  // namespace

Calibration Calibration::from_frames(const std::vector<HeldOut>& frames, const FalseAlarms& wanted,
                                     const Video& video, const Monitor& monitor) {
  if (wanted.per_hour > 0 && !(video.seconds > 0))
    throw Error(ErrorCode::InvalidArgument,
                "A threshold for alarms an hour needs to know how long the frames last.");
  if (frames.empty()) return {};
  Calibration c;
  for (const HeldOut& frame : frames) {
    c.scores.push_back(frame.score);
    c.map_peaks.push_back(frame.map_peak);
  }
  std::sort(c.scores.begin(), c.scores.end());
  std::sort(c.map_peaks.begin(), c.map_peaks.end());
  c.median = patchcore::median(c.scores);
  c.pixel_median = patchcore::median(c.map_peaks);
  c.hours = video.seconds / 3600;

  auto above = static_cast<size_t>(wanted.rate * static_cast<double>(frames.size()));
  if (wanted.per_hour > 0) {
    const auto allowed = static_cast<int64_t>(wanted.per_hour * c.hours);
    above = exceeding_for(allowed, c.scores, frames, video, monitor);
  }
  c.threshold = bound_above(c.scores, above);
  c.pixel_threshold = bound_above(c.map_peaks, above);
  if (c.hours > 0) c.alarms = alarms_at(c.threshold, c.median, frames, video);
  return c;
}

int64_t Calibration::false_alarms() const {
  return scores.end() - std::lower_bound(scores.begin(), scores.end(), threshold);
}

double Calibration::normalise(double score) const {
  if (!valid()) return std::numeric_limits<double>::quiet_NaN();
  return Normalization(threshold, median).normalized(score);
}

}  // namespace patchcore
