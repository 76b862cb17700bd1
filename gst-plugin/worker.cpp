// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker.hpp"

namespace gstpatchcore {

Worker::Worker() : thread_([this] { run(); }) {}

void Worker::end() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::stop() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_one();
}

void Worker::submit(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (!stopping_) tasks_.push_back(std::move(task));
  changed_.notify_one();
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace gstpatchcore
