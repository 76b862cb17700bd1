// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace gstpatchcore {

/// A thread that can be left to itself. Unlike a detached one it is still joined before the process
/// ends, so that it never runs in LibTorch while that is being torn down.
class Thread {
 public:
  Thread() = default;
  /// Throws std::system_error where the system has no thread to give.
  explicit Thread(std::function<void()> work);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = default;

  bool joinable() const { return thread_.joinable(); }
  void join() { thread_.join(); }

  /// Stops waiting for it: it ends by itself. What its work captured must keep itself alive.
  void retire();

 private:
  std::thread thread_;
  std::shared_ptr<std::atomic<bool>> finished_;
};

}  // namespace gstpatchcore
