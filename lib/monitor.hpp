// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <mutex>

#include "error.hpp"

namespace patchcore {

/// How a caller follows and ends long work. Both functions are called from the threads that work,
/// one at a time, a few times each 100 ms at least; either may be empty.
struct Monitor {
  std::function<void(double)> progress;  ///< fraction done, 0..1, never falling
  std::function<bool()> cancelled;       ///< true: stop now

  /// Throws Error(Cancelled) when the caller asked to stop.
  void check() const {
    if (cancelled && cancelled()) stop();
  }

  [[noreturn]] static void stop() { throw Error(ErrorCode::Cancelled, "The work was cancelled."); }

  void report(double fraction) const {
    if (progress) progress(fraction);
  }

  /// The same monitor for the part of the work between two fractions.
  Monitor part(double from, double to) const {
    if (!progress) return *this;
    return {[whole = progress, from, to](double f) { whole(from + f * (to - from)); }, cancelled};
  }
};

/// Lets several threads look at one monitor. Once one of them has been told to stop, all are.
class SharedMonitor {
 public:
  explicit SharedMonitor(const Monitor& monitor) : monitor_(monitor) {}

  /// Throws Error(Cancelled).
  void check() {
    if (!monitor_.cancelled) return;
    const std::lock_guard lock(mutex_);
    if (!stopped_) stopped_ = monitor_.cancelled();
    if (stopped_) Monitor::stop();
  }

 private:
  const Monitor& monitor_;
  std::mutex mutex_;
  bool stopped_ = false;
};

}  // namespace patchcore
