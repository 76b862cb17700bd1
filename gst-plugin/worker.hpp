// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "thread.hpp"

namespace gstpatchcore {

/// A thread that does one thing after the other. Any thread may submit.
class Worker {
 public:
  /// Throws std::system_error where the system has no thread to give.
  Worker();
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// From now on nothing is begun any more.
  void stop();
  /// And waits for the task that runs; those behind it are dropped.
  void end();
  void submit(std::function<void()> task);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace gstpatchcore
