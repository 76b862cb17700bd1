// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framequeue.hpp"

#include <limits>

namespace gstpatchcore {

const char* nick(FrameState state) {
  switch (state) {
    case FrameState::Learning: return "learning";
    case FrameState::Building: return "building";
    case FrameState::Scored: return "scored";
    case FrameState::Stale: return "stale";
    case FrameState::None: break;
  }
  return "none";
}

FrameQueue::FrameQueue()
    : alarm_([this] {
        std::lock_guard lock(mutex_);
        ready_.notify_one();
      }) {}

void FrameQueue::set_max_frames(guint max_frames) {
  std::lock_guard lock(mutex_);
  max_frames_ = max_frames;
  space_.notify_all();
}

bool FrameQueue::wait_for_room() {
  std::unique_lock lock(mutex_);
  space_.wait(lock, [&] { return flushing_ || frames_ < max_frames_; });
  return !flushing_;
}

bool FrameQueue::push(Item item) {
  std::lock_guard lock(mutex_);
  if (flushing_) return false;
  if (item.frame) ++frames_;
  if (item.frame && item.frame->inspection) item.frame->inspection->epoch = epoch_;
  items_.push_back(std::move(item));
  ready_.notify_one();
  return true;
}

bool FrameQueue::ask(GstQuery* query, bool* answer) {
  std::unique_lock lock(mutex_);
  if (flushing_) return false;
  answer_.reset();
  items_.push_back({nullptr, nullptr, query});
  ready_.notify_one();
  space_.wait(lock, [&] { return answer_ || (flushing_ && !query_taken_); });
  if (!answer_) return false;
  *answer = *answer_;
  return true;
}

void FrameQueue::answer(bool ok) {
  std::lock_guard lock(mutex_);
  answer_ = ok;
  query_taken_ = false;
  space_.notify_all();
}

/// Called with the lock held.
bool FrameQueue::head_can_leave() {
  if (items_.empty()) return false;
  const Frame* frame = items_.front().frame.get();
  if (!frame || !frame->inspection || frame->inspection->open == 0) return true;
  if (!GST_CLOCK_TIME_IS_VALID(frame->deadline)) return false;
  const GstClockTime now = alarm_.now();
  if (GST_CLOCK_TIME_IS_VALID(now) && now >= frame->deadline) return true;
  alarm_.set(frame->deadline);
  return false;
}

std::optional<Item> FrameQueue::pop() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return flushing_ || head_can_leave(); });
  alarm_.cancel();
  if (flushing_) return std::nullopt;
  std::optional<Item> item(std::move(items_.front()));
  items_.pop_front();
  query_taken_ = item->query != nullptr;
  if (item->frame) leave(*item->frame);
  return item;
}

/// Called with the lock held.
void FrameQueue::leave(Frame& frame) {
  --frames_;
  space_.notify_all();
  if (!frame.inspection) return;
  frame.inspection->left = true;
  frame.finished = frame.inspection->open == 0 && !frame.inspection->skipped();
}

std::shared_ptr<Inspection> FrameQueue::take_late() {
  std::lock_guard lock(mutex_);
  return std::exchange(late_, nullptr);
}

void FrameQueue::set_flushing(bool flushing) {
  std::deque<Item> dropped;  // buffers are released without the lock
  std::shared_ptr<Inspection> late;
  {
    std::lock_guard lock(mutex_);
    flushing_ = flushing;
    dropped.swap(items_);
    late.swap(late_);
    frames_ = 0;
    ++epoch_;
    earliest_ = GST_CLOCK_TIME_NONE;
    space_.notify_all();
    ready_.notify_all();
  }
}

bool FrameQueue::flushing() const {
  std::lock_guard lock(mutex_);
  return flushing_;
}

GstClockTimeDiff FrameQueue::time_left(const Job& job) const {
  if (!GST_CLOCK_TIME_IS_VALID(job.deadline)) return std::numeric_limits<GstClockTimeDiff>::max();
  const GstClockTime earliest = earliest_;
  if (GST_CLOCK_TIME_IS_VALID(earliest) && GST_CLOCK_TIME_IS_VALID(job.running_time) &&
      job.running_time < earliest)
    return 0;
  const GstClockTime now = alarm_.now();
  if (!GST_CLOCK_TIME_IS_VALID(now)) return std::numeric_limits<GstClockTimeDiff>::max();
  return GST_CLOCK_DIFF(now, job.deadline);
}

void FrameQueue::job_done(Job& job) {
  std::lock_guard lock(mutex_);
  Inspection& inspection = *job.inspection;
  if (inspection.ticket && !job.skipped && !job.error) inspection.ticket->learned = true;
  if (--inspection.open > 0) return;
  if (inspection.left && inspection.epoch == epoch_ && inspection.scorer && !inspection.skipped())
    late_ = inspection.shared_from_this();
  ready_.notify_one();
}

}  // namespace gstpatchcore
