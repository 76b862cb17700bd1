// SPDX-License-Identifier: LGPL-2.1-or-later
// Plain numbers without LibTorch, so that the plugin has it from here too.
#pragma once

#include <algorithm>

namespace patchcore {

/// When alarms begin and end, given the verdicts of single frames: one starts when `frames` in a
/// row are anomalous, and stops when as many in a row lie clearly below the threshold.
class AlarmRule {
 public:
  enum class Change { None, Start, Stop };

  /// One scored frame, in order. below: see release().
  Change update(bool anomalous, bool below, unsigned frames) {
    const bool speaks = on_ ? below : anomalous;
    in_a_row_ = speaks ? in_a_row_ + 1 : 0;
    if (in_a_row_ < frames) return Change::None;
    in_a_row_ = 0;
    on_ = !on_;
    return on_ ? Change::Start : Change::Stop;
  }

  /// As before the first frame.
  void reset() { *this = {}; }

  bool on() const { return on_; }
  /// Frames in a row that speak for a change so far.
  unsigned in_a_row() const { return in_a_row_; }

  /// The normalized score that a frame must be below to speak for an alarm's end, where the alarm
  /// begins at `threshold`: no lower than half of it, since at zero no score could end one.
  static double release(double threshold, double hysteresis) {
    return std::max(threshold - hysteresis, threshold / 2);
  }

 private:
  bool on_ = false;
  unsigned in_a_row_ = 0;
};

}  // namespace patchcore
