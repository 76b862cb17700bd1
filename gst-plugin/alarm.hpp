// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "timing.hpp"

namespace gstpatchcore {

/// Turns the verdicts of single frames into alarms: one starts when `alarm-frames` scored frames in
/// a row are anomalous, and stops when as many in a row lie below the threshold by more than
/// `alarm-hysteresis`. Frames that were not scored don't count.
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
  enum class Change { None, Start, Stop };

  /// One scored frame, in order. frames: alarm-frames.
  Change update(const Sample& sample, guint frames);
  /// The stream ends, or what scores it changes. Stop: an alarm was on.
  Change end();

  bool on() const { return on_; }
  /// Of the alarm that is on or has just stopped: its worst frame.
  const Sample& peak() const { return peak_; }
  /// The same: from its first anomalous frame to the end of the last one so far.
  Moment span() const;

 private:
  bool on_ = false;
  guint in_a_row_ = 0;  ///< frames that speak for a change
  Sample first_{}, peak_{}, last_{};
};

}  // namespace gstpatchcore
