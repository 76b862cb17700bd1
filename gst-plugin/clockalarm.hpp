// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <mutex>

namespace gstpatchcore {

/// Rings at a time of a clock, which may change or be missing. One alarm at a time. Any thread.
class ClockAlarm {
 public:
  /// ring: called from the clock's thread, and must be quick; never after the destructor.
  explicit ClockAlarm(std::function<void()> ring);
  ~ClockAlarm();
  ClockAlarm(const ClockAlarm&) = delete;
  ClockAlarm& operator=(const ClockAlarm&) = delete;

  /// nullptr: none.
  void set_clock(GstClock* clock);

  /// GST_CLOCK_TIME_NONE: there is no clock.
  GstClockTime now() const;

  /// Forgets the alarm that was set and sets this one. Without a clock it never rings.
  void set(GstClockTime time);
  void cancel();

 private:
  struct Ring {
    std::mutex mutex;
    std::function<void()> ring;
  };

  GstClock* clock() const;  ///< a reference, or nullptr
  void forget();            ///< with the lock held

  const std::shared_ptr<Ring> ring_;
  mutable std::mutex mutex_;
  GstClock* clock_ = nullptr;
  GstClockID alarm_ = nullptr;
};

}  // namespace gstpatchcore
