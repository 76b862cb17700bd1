// SPDX-License-Identifier: LGPL-2.1-or-later
#include "parallel.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <omp.h>

#include <atomic>
#include <exception>
#include <mutex>

namespace patchcore {
namespace {

/// A LibTorch with an OpenMP of its own, as its archives for C++ have it, knows nothing of our
/// regions, and would start all its threads in each of ours.
bool has_our_openmp() {
  static const bool same = [] {
    std::atomic<bool> known = true;
#pragma omp parallel num_threads(2)
    if (!at::in_parallel_region()) known = false;
    return known.load();
  }();
  return same;
}

/// A thread that first meets ATen inside of a parallel region is told by MKL that it has one thread
/// to use, where others have more; and ATen picks some kernels by that number. Results would hang
/// on which thread took which image.
void agree_on_threads() {
  static const bool agreed = (at::set_num_threads(at::get_num_threads()), true);
  static_cast<void>(agreed);
}

}  // namespace

bool occupies_threads(size_t count) {
  const auto threads = static_cast<size_t>(at::get_num_threads());
  return threads > 1 && count > 1 && 2 * count >= threads && !at::in_parallel_region() &&
         has_our_openmp();
}

void for_each(size_t count, const std::function<void(size_t)>& work) {
  agree_on_threads();
  std::exception_ptr error;
  std::mutex mutex;
  const bool no_gradients = c10::InferenceMode::is_enabled();
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < count; ++i) {
    try {
      const c10::InferenceMode as_the_caller(no_gradients);
      work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

// Asking ATen, and not OpenMP, has it set up its number now, and not in a thread's first operator.
OnThisThread::OnThisThread() : threads_(at::get_num_threads()) { omp_set_num_threads(1); }

OnThisThread::~OnThisThread() { omp_set_num_threads(threads_); }

}  // namespace patchcore
