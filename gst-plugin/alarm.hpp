// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <alarm_rule.hpp>

#include "timing.hpp"

namespace gstpatchcore {

/// Turns the verdicts of single frames into alarms by AlarmRule, and keeps what they tell. Frames
/// that were not scored don't count.
class Alarm {
 public:
  /// A scored frame.
  struct Sample {
    Moment moment;
    gdouble score, normalized_score;  ///< NaN: not calibrated
    gdouble peak_x, peak_y;           ///< fractions of the frame
    gdouble value;                    ///< what the verdict compares
    bool anomalous;
    bool below;  ///< by more than the hysteresis
  };
  using Change = patchcore::AlarmRule::Change;

  /// One scored frame, in order. frames: alarm-frames.
  Change update(const Sample& sample, guint frames);
  /// The stream ends, or what scores it changes. Stop: an alarm was on.
  Change end();

  bool on() const { return rule_.on(); }
  /// Of the alarm that is on or has just stopped: its worst frame.
  const Sample& peak() const { return peak_; }
  /// The same: from its first anomalous frame to the end of the last one so far.
  Moment span() const;

 private:
  patchcore::AlarmRule rule_;
  Sample first_{}, peak_{}, last_{};
};

}  // namespace gstpatchcore
