// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 512;
constexpr unsigned kWarps = kThreads / kWarp;
constexpr int64_t kHeadPart = 8;  // coordinates between two looks at whether they suffice

struct Shared {
  uint64_t largest[kWarps];
  float head[kHead];  ///< the centre's
};

/// The largest of all threads' in the block, to all of them.
__device__ uint64_t block_largest(uint64_t key, Shared& shared) {
  key = warp_largest(key);
  __syncthreads();  // what was there before has been read
  if (lane() == 0) shared.largest[warp()] = key;
  __syncthreads();
  return warp_largest(lane() < kWarps ? shared.largest[lane()] : 0);
}

/// Places are dealt out to the grid's threads, a warp's beside each other; a thread has the same
/// ones in every step.
class Chooser {
 public:
  __device__ Chooser(const Choose& c, Shared& shared) : c_(c), shared_(shared) {}

  /// Finds the largest minimum of this block's places.
  __device__ void begin() {
    uint64_t best = 0;
    for (int64_t place = thread_of_grid(); place < c_.count; place += threads())
      best = larger(best, largest_key(c_.minimum[place], c_.order[place]));
    publish(0, best);
  }

  /// All blocks must have come to the end of the step before.
  __device__ void step(int64_t index) {
    const int64_t centre = index == 0 && c_.first >= 0 ? c_.first : row_of(found_by_all(index));
    if (blockIdx.x == 0 && threadIdx.x == 0) c_.chosen[index] = centre;
    if (threadIdx.x < kHead)
      shared_.head[threadIdx.x] = c_.heads[threadIdx.x * c_.count + c_.place[centre]];
    __syncthreads();
    uint64_t best = 0;
    // Whole warps, so that their lanes can work together.
    for (int64_t first = thread_of_grid() - lane(); first < c_.count; first += threads())
      best = larger(best, lower(first + lane(), centre));
    publish(index + 1, best);
  }

 private:
  __device__ static int64_t threads() { return static_cast<int64_t>(gridDim.x) * kThreads; }
  __device__ static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

  /// Two halves by turns: one is read while the other is written.
  __device__ uint64_t* half(int64_t index) const { return c_.best + index % 2 * kMostBlocks; }

  __device__ void publish(int64_t index, uint64_t best) {
    best = block_largest(best, shared_);
    if (threadIdx.x == 0) half(index)[blockIdx.x] = best;
  }

  __device__ uint64_t found_by_all(int64_t index) {
    uint64_t best = 0;
    for (unsigned block = threadIdx.x; block < gridDim.x; block += kThreads)
      best = larger(best, load_shared_by_blocks(half(index) + block));
    return block_largest(best, shared_);
  }

  __device__ bool is_open_by_head(int64_t place, float minimum, bool valid) const {
    bool open = valid && minimum >= 0;
    float square = 0;
    for (int64_t part = 0; part < kHead; part += kHeadPart) {
      if (!__any_sync(kAllLanes, open)) return false;
      if (!open) continue;
      for (int64_t i = part; i < part + kHeadPart; ++i) {
        const float difference = c_.heads[i * c_.count + place] - shared_.head[i];
        square = fmaf(difference, difference, square);
      }
      open = is_open(square, minimum, c_.slack);
    }
    return open;
  }

  /// Lowers the minimum at a place, and returns its key; all lanes of a warp together.
  __device__ uint64_t lower(int64_t place, int64_t centre) {
    const bool valid = place < c_.count;
    const float before = valid ? c_.minimum[place] : -1;
    const int row = valid ? c_.order[place] : 0;
    float minimum = before;
    for (unsigned open = __ballot_sync(kAllLanes, is_open_by_head(place, before, valid)); open;
         open &= open - 1) {
      const int next = __ffs(static_cast<int>(open)) - 1;
      const int64_t other = __shfl_sync(kAllLanes, row, next);
      const float square =
          squared_distance(c_.rows + other * c_.width, c_.rows + centre * c_.width, c_.width);
      if (static_cast<int>(lane()) == next && square < minimum) minimum = square;
    }
    if (!valid) return 0;
    if (row == centre) minimum = -1;
    if (minimum != before) c_.minimum[place] = minimum;
    return largest_key(minimum, row);
  }

  const Choose& c_;
  Shared& shared_;
};

__global__ void PATCHCORE_BOUNDS(kThreads, 2) choose_kernel(Choose c) {
  PATCHCORE_SHARED(Shared, shared);
  Chooser chooser(c, shared);
  chooser.begin();
  for (int64_t step = 0; step < c.steps; ++step) {
    grid_sync();
    chooser.step(step);
  }
}

}  // namespace

const char* choose(const Choose& c, Stream stream) {
  if (c.count == 0 || c.steps == 0) return nullptr;
  const int64_t wanted = in_parts_of(c.count, kThreads);
  return launch_together(choose_kernel, wanted < kMostBlocks ? wanted : kMostBlocks, kThreads,
                         stream, c);
}

}  // namespace patchcore::cuda
