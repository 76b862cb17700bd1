// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mutex>

#include "framequeue.hpp"

namespace gstpatchcore {

/// Counts what an element has done since it went to PAUSED. Any thread.
class Statistics {
 public:
  /// A frame is about to leave, with its outcome.
  void count(const Frame& frame);
  /// An inspection was done after its frame had left.
  void count(const Inspection& late);

  /// The property `stats`; docs/properties.md lists the fields.
  StructurePtr structure() const;

 private:
  void count_time(gint64 now);
  gdouble frames_per_second(gint64 now) const;
  void count_jobs(const Inspection& inspection);

  mutable std::mutex mutex_;
  guint64 frames_ = 0, inferred_ = 0, stale_ = 0, corrupted_ = 0, learned_ = 0;
  guint64 batches_ = 0, jobs_ = 0, batched_ = 0, last_batch_ = 0;
  gdouble latency_ = 0, inference_time_ = 0;  ///< sums, ns
  gdouble engine_time_ = 0;                   ///< ns of the engine's time that were this element's
  GstClockTime max_latency_ = 0;
  gint64 window_start_ = 0;  ///< us
  guint64 window_frames_ = 0;
  gdouble fps_ = 0;
};

}  // namespace gstpatchcore
