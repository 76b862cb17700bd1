// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framequeue.hpp"

namespace gstpatchcore {

const char* nick(FrameState state) {
  switch (state) {
    case FrameState::Learning: return "learning";
    case FrameState::Building: return "building";
    case FrameState::Scored: return "scored";
    case FrameState::None: break;
  }
  return "none";
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

bool FrameQueue::head_can_leave() const {
  if (items_.empty()) return false;
  const Frame* frame = items_.front().frame.get();
  return !frame || !frame->job || frame->job->done;
}

std::optional<Item> FrameQueue::pop() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return flushing_ || head_can_leave(); });
  if (flushing_) return std::nullopt;
  std::optional<Item> item(std::move(items_.front()));
  items_.pop_front();
  query_taken_ = item->query != nullptr;
  if (item->frame) {
    --frames_;
    space_.notify_all();
  }
  return item;
}

void FrameQueue::set_flushing(bool flushing) {
  std::deque<Item> dropped;  // buffers are released without the lock
  {
    std::lock_guard lock(mutex_);
    flushing_ = flushing;
    dropped.swap(items_);
    frames_ = 0;
    space_.notify_all();
    ready_.notify_all();
  }
}

bool FrameQueue::flushing() const {
  std::lock_guard lock(mutex_);
  return flushing_;
}

void FrameQueue::job_done(Job& job) {
  std::lock_guard lock(mutex_);
  job.done = true;
  ready_.notify_one();
}

}  // namespace gstpatchcore
