// SPDX-License-Identifier: LGPL-2.1-or-later
// CUDA as far as the kernels of lib/cuda use it, on one thread of a CPU: what they compute and how
// they wait for each other can be tested where there is no GPU. A kernel's threads are fibers. They
// run in an order that changes all the time, each until it waits, now and then one warp or block
// far ahead of all others, so that a barrier that is missing shows; one that not all reach ends the
// program. Shared memory begins as garbage; asynchronous copies land at once or when they are
// waited for.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "cuda/kernels.hpp"

#define __global__
#define __device__
#define PATCHCORE_BOUNDS(threads, blocks)
#define PATCHCORE_SHARED(type, name) \
  type& name = *static_cast<type*>(patchcore::cuda::emulated::shared_memory(sizeof(type)))

struct EmulatedIndex {
  unsigned x;
};
inline EmulatedIndex threadIdx, blockIdx, blockDim, gridDim;

namespace patchcore::cuda {
namespace emulated {

/// Of the block in hand: the same for all its threads. One variable a kernel.
void* shared_memory(size_t bytes);

/// Waits for all threads of the block, of the grid.
void block_barrier();
void grid_barrier();

/// Gives the warp's lanes each other's values: waits for all of them, and returns lane 0's; those
/// of the others follow. They are there until the next exchange.
const void* exchange(const void* value, size_t bytes);

void copy_async(void* to, const void* from, bool wanted);
void commit_copies();
void wait_for_older_copies();

/// One kernel after the other, whoever calls. together: all blocks are there at the same time.
void run(const std::function<void()>& kernel, unsigned blocks, unsigned threads, bool together);

template <typename T>
const T* exchanged(T value) {
  return static_cast<const T*>(exchange(&value, sizeof(value)));
}

}  // namespace emulated

inline void grid_sync() { emulated::grid_barrier(); }
inline uint64_t load_shared_by_blocks(const uint64_t* value) { return *value; }
inline void copy_async(void* to, const void* from, bool wanted) {
  emulated::copy_async(to, from, wanted);
}
inline void commit_copies() { emulated::commit_copies(); }
inline void wait_for_older_copies() { emulated::wait_for_older_copies(); }

/// See device.cuh for where a lane has what.
void multiply_add(float (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

inline const char* why_unusable() { return nullptr; }

inline const char* copy_across(void* to, const void* from, int64_t bytes, Stream) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return nullptr;
}

template <typename Arguments>
const char* launch(void (*kernel)(Arguments), int64_t blocks, unsigned threads, Stream,
                   const Arguments& arguments) {
  emulated::run([&] { kernel(arguments); }, static_cast<unsigned>(blocks), threads, false);
  return nullptr;
}

template <typename Arguments>
const char* launch_together(void (*kernel)(Arguments), int64_t most, unsigned threads, Stream,
                            const Arguments& arguments) {
  constexpr int64_t kTogether = 3;  // fewer than most tests want
  emulated::run([&] { kernel(arguments); },
                static_cast<unsigned>(most < kTogether ? most : kTogether), threads, true);
  return nullptr;
}

}  // namespace patchcore::cuda

inline void __syncthreads() { patchcore::cuda::emulated::block_barrier(); }

template <typename T>
T __shfl_sync(unsigned, T value, int from) {
  return patchcore::cuda::emulated::exchanged(value)[from % 32];
}

template <typename T>
T __shfl_xor_sync(unsigned, T value, unsigned other) {
  return patchcore::cuda::emulated::exchanged(value)[(threadIdx.x % 32) ^ other];
}

inline unsigned __ballot_sync(unsigned, bool value) {
  const bool* values = patchcore::cuda::emulated::exchanged(value);
  unsigned ballot = 0;
  for (unsigned i = 0; i < 32; ++i) ballot |= static_cast<unsigned>(values[i]) << i;
  return ballot;
}

inline bool __any_sync(unsigned mask, bool value) { return __ballot_sync(mask, value) != 0; }
inline int __ffs(int bits) { return __builtin_ffs(bits); }

inline int atomicAdd(int* value, int more) {
  const int before = *value;
  *value += more;
  return before;
}
