// SPDX-License-Identifier: LGPL-2.1-or-later
#include "statistics.hpp"

#include <algorithm>

namespace gstpatchcore {
namespace {

constexpr gint64 kWindow = 2 * G_USEC_PER_SEC;

GstClockTime mean(gdouble sum, guint64 count) {
  return count ? static_cast<GstClockTime>(sum / static_cast<gdouble>(count)) : 0;
}

}  // namespace

void Statistics::count(const Frame& frame) {
  const gint64 now = g_get_monotonic_time();
  std::lock_guard lock(mutex_);
  ++frames_;
  corrupted_ += frame.corrupted;
  stale_ += frame.state == FrameState::Stale;
  learned_ += frame.state == FrameState::Learning;
  inferred_ += frame.state == FrameState::Scored;
  const auto latency = static_cast<GstClockTime>(now - frame.arrival) * GST_USECOND;
  latency_ += static_cast<gdouble>(latency);
  max_latency_ = std::max(max_latency_, latency);
  count_time(now);
  if (frame.inspection && frame.finished) count_jobs(*frame.inspection);
}

void Statistics::count(const Inspection& late) {
  std::lock_guard lock(mutex_);
  count_jobs(late);
}

void Statistics::count_time(gint64 now) {
  if (window_start_ == 0) window_start_ = now;
  if (now - window_start_ >= kWindow) {
    fps_ = frames_per_second(now);
    window_start_ = now;
    window_frames_ = 0;
  }
  ++window_frames_;
}

/// Of the latest whole window, so that a year's mean doesn't hide what happens today.
gdouble Statistics::frames_per_second(gint64 now) const {
  const gint64 passed = now - window_start_;
  if (passed < kWindow || window_start_ == 0) return fps_;
  return static_cast<gdouble>(window_frames_) * G_USEC_PER_SEC / static_cast<gdouble>(passed);
}

/// Called with the lock held.
void Statistics::count_jobs(const Inspection& inspection) {
  for (const auto& job : inspection.jobs) {
    ++jobs_;
    batched_ += job->batched;
    inference_time_ += static_cast<gdouble>(job->inference_time);
    engine_time_ += static_cast<gdouble>(job->inference_time) / job->batched;
    if (job->batch != last_batch_) ++batches_;
    last_batch_ = job->batch;
  }
}

StructurePtr Statistics::structure() const {
  std::lock_guard lock(mutex_);
  const gdouble mean_batch =
      jobs_ ? static_cast<gdouble>(batched_) / static_cast<gdouble>(jobs_) : 0;
  return StructurePtr(gst_structure_new(
      "patchcore-stats", "frames", G_TYPE_UINT64, frames_, "inferred", G_TYPE_UINT64, inferred_,
      "learned", G_TYPE_UINT64, learned_, "stale", G_TYPE_UINT64, stale_, "corrupted",
      G_TYPE_UINT64, corrupted_, "batches", G_TYPE_UINT64, batches_, "mean-batch", G_TYPE_DOUBLE,
      mean_batch, "mean-latency", G_TYPE_UINT64, mean(latency_, frames_), "max-latency",
      G_TYPE_UINT64, max_latency_, "mean-inference-time", G_TYPE_UINT64,
      mean(inference_time_, jobs_), "engine-time", G_TYPE_UINT64,
      static_cast<guint64>(engine_time_), "frames-per-second", G_TYPE_DOUBLE,
      frames_per_second(g_get_monotonic_time()), nullptr));
}

}  // namespace gstpatchcore
