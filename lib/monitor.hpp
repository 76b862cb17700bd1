// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>

#include "error.hpp"

namespace patchcore {

/// How a caller follows and ends long work. Both functions are called from the working thread, a
/// few times each 100 ms at least; either may be empty.
struct Monitor {
  std::function<void(double)> progress;  ///< fraction done, 0..1, never falling
  std::function<bool()> cancelled;       ///< true: stop now

  /// Throws Error(Cancelled) when the caller asked to stop.
  void check() const {
    if (cancelled && cancelled()) throw Error(ErrorCode::Cancelled, "The work was cancelled.");
  }

  void report(double fraction) const {
    if (progress) progress(fraction);
  }

  /// The same monitor for the part of the work between two fractions.
  Monitor part(double from, double to) const {
    if (!progress) return *this;
    return {[whole = progress, from, to](double f) { whole(from + f * (to - from)); }, cancelled};
  }
};

}  // namespace patchcore
