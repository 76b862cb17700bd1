// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framequeue.hpp"

#include <limits>

namespace gstpatchcore {

namespace {

/// Results don't outlive these.
bool ends_epoch(const GstEvent* event) {
  const GstEventType type = GST_EVENT_TYPE(event);
  return type == GST_EVENT_CAPS || type == GST_EVENT_STREAM_START || type == GST_EVENT_EOS;
}

/// A pad has one event of a kind.
bool same_kind(const GstEvent* a, GstEvent* b) {
  if (GST_EVENT_TYPE(a) != GST_EVENT_TYPE(b)) return false;
  if (!(gst_event_type_get_flags(GST_EVENT_TYPE(a)) & GST_EVENT_TYPE_STICKY_MULTI)) return true;
  return gst_event_has_name_id(
      b, gst_structure_get_name_id(gst_event_get_structure(const_cast<GstEvent*>(a))));
}

}  // namespace

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
  if (flushing_) {
    const bool kept = item.event && GST_EVENT_IS_STICKY(item.event.get()) &&
                      GST_EVENT_TYPE(item.event.get()) != GST_EVENT_EOS;
    if (kept) keep(std::move(item.event));
    return kept;
  }
  if (item.event && ends_epoch(item.event.get())) ++pushed_epoch_;
  if (item.frame) ++frames_;
  if (item.frame && item.frame->inspection) {
    item.frame->inspection->epoch = pushed_epoch_;
    item.frame->inspection->number = ++inspections_;
  }
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
  if (item->event) leave(item->event.get());
  return item;
}

/// Called with the lock held.
void FrameQueue::leave(Frame& frame) {
  --frames_;
  space_.notify_all();
  if (!frame.inspection) return;
  epoch_ = frame.inspection->epoch;
  frame.inspection->left = true;
  frame.finished = frame.inspection->open == 0 && !frame.inspection->skipped();
}

/// Called with the lock held.
void FrameQueue::leave(GstEvent* event) {
  if (!ends_epoch(event)) return;
  epoch_ = 0;
  late_ = nullptr;
}

std::shared_ptr<Inspection> FrameQueue::take_late() {
  std::lock_guard lock(mutex_);
  return std::exchange(late_, nullptr);
}

void FrameQueue::stop(bool keep_segment) {
  std::deque<Item> dropped;  // buffers are released without the lock
  std::shared_ptr<Inspection> late;
  {
    std::lock_guard lock(mutex_);
    flushing_ = true;
    dropped.swap(items_);
    late.swap(late_);
    for (Item& item : dropped) {
      if (!item.event || !GST_EVENT_IS_STICKY(item.event.get())) continue;
      const GstEventType type = GST_EVENT_TYPE(item.event.get());
      if (type == GST_EVENT_EOS || (type == GST_EVENT_SEGMENT && !keep_segment)) continue;
      keep(std::move(item.event));
    }
    frames_ = 0;
    epoch_ = 0;
    ++pushed_epoch_;
    earliest_ = GST_CLOCK_TIME_NONE;
    space_.notify_all();
    ready_.notify_all();
  }
}

/// Called with the lock held, while nothing but such events is queued. A newer one takes the place
/// of its kind, so that there are never many, in whatever time.
void FrameQueue::keep(EventPtr event) {
  for (Item& item : items_)
    if (same_kind(item.event.get(), event.get())) {
      item.event = std::move(event);
      return;
    }
  items_.push_back({nullptr, std::move(event), nullptr});
}

void FrameQueue::start() {
  std::lock_guard lock(mutex_);
  flushing_ = false;
  ready_.notify_all();
}

void FrameQueue::end_unless_restarted(std::atomic<GstFlowReturn>& flow) {
  std::lock_guard lock(mutex_);
  for (const Item& item : items_) {
    if (!item.event) continue;
    const GstEventType type = GST_EVENT_TYPE(item.event.get());
    if (type == GST_EVENT_SEGMENT || type == GST_EVENT_STREAM_START) return;
  }
  flow = GST_FLOW_EOS;
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
  const bool told = inspection.error() || (inspection.scorer && !inspection.skipped());
  if (told && inspection.left && inspection.epoch == epoch_ &&
      (!late_ || late_->number < inspection.number))
    late_ = inspection.shared_from_this();
  ready_.notify_one();
}

}  // namespace gstpatchcore
