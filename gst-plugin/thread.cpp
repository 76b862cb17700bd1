// SPDX-License-Identifier: LGPL-2.1-or-later
#include "thread.hpp"

#include <cstdlib>
#include <mutex>
#include <vector>

namespace gstpatchcore {
namespace {

struct Retired {
  std::thread thread;
  std::shared_ptr<std::atomic<bool>> finished;
};

/// All retired threads of the process. Never destroyed, since the last of them may retire another.
class Retirees {
 public:
  static Retirees& get() {
    static auto* all = new Retirees();
    // exit() goes backwards: LibTorch's objects are older than this, since the library was prepared
    // when it was opened, and are destroyed after it.
    static const int registered = std::atexit([] { all->join_all(); });
    static_cast<void>(registered);
    return *all;
  }

  void add(Retired one) {
    std::lock_guard lock(mutex_);
    std::erase_if(all_, [](Retired& other) {
      const bool finished = *other.finished;
      if (finished) other.thread.join();
      return finished;
    });
    all_.push_back(std::move(one));
  }

 private:
  void join_all() {
    std::unique_lock lock(mutex_);
    while (!all_.empty()) {
      Retired last = std::move(all_.back());
      all_.pop_back();
      lock.unlock();
      last.thread.join();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::vector<Retired> all_;
};

}  // namespace

Thread::Thread(std::function<void()> work) : finished_(std::make_shared<std::atomic<bool>>(false)) {
  thread_ = std::thread([work = std::move(work), finished = finished_]() mutable {
    work();
    work = nullptr;  // what it captured goes before anyone takes the thread for finished
    *finished = true;
  });
}

void Thread::retire() {
  if (thread_.joinable()) Retirees::get().add({std::move(thread_), std::move(finished_)});
}

}  // namespace gstpatchcore
