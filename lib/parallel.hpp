// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <functional>

namespace patchcore {

/// Whether so many pieces of work, done by one thread each, get further than one after the other
/// with all of LibTorch's threads on each: at least half of the threads have one. ATen's operators
/// are many and small here, so that all threads on one operator mostly wait for each other.
bool occupies_threads(size_t count);

/// Calls work(0) ... work(count - 1) on LibTorch's threads, one thread a call, in no particular
/// order, and returns when all are done. Of what they throw one is passed on.
void for_each(size_t count, const std::function<void(size_t)>& work);

/// While it lives, ATen's operators that its thread calls are done by that thread alone. Without it
/// each thread that calls one gets as many threads for it as there are cores, and keeps them.
class OnThisThread {
 public:
  OnThisThread();
  ~OnThisThread();
  OnThisThread(const OnThisThread&) = delete;
  OnThisThread& operator=(const OnThisThread&) = delete;

 private:
  int threads_;  ///< that were its own before
};

}  // namespace patchcore
