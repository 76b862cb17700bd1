// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

// A block has kTile rows of each factor and takes kStep of their width at a time, while the next
// are on their way. Its four warps have a quarter of the products each, in registers.
constexpr unsigned kThreads = 128;
constexpr int kSide = 64;                             // of a warp's quarter
constexpr int kTall = kSide / 16, kWide = kSide / 8;  // in the shapes of multiply_add
// Eight values behind each row, so that eight rows begin in different banks of shared memory.
constexpr int kPitch = kStep + 8;

struct Tiles {
  alignas(16) uint16_t a[2][kTile * kPitch];
  alignas(16) uint16_t b[2][kTile * kPitch];
};

using Sums = float[kTall][kWide][4];

__device__ void copy_tile(uint16_t* tile, const uint16_t* rows, int64_t first, int64_t count,
                          int64_t width, int64_t column) {
  constexpr int kChunk = 8, kChunks = kStep / kChunk;  // of 16 bytes
  for (int64_t i = threadIdx.x; i < kTile * kChunks; i += kThreads) {
    const int64_t row = i / kChunks, chunk = i % kChunks * kChunk;
    const bool wanted = first + row < count;
    copy_async(tile + row * kPitch + chunk,
               rows + (wanted ? first + row : 0) * width + column + chunk, wanted);
  }
}

__device__ inline uint32_t pair(const uint16_t* tile, int row, int column) {
  return *reinterpret_cast<const uint32_t*>(tile + row * kPitch + column);
}

__device__ void multiply_tiles(Sums& sums, const uint16_t* a, const uint16_t* b) {
  const int g = static_cast<int>(lane()) / 4, t = static_cast<int>(lane()) % 4;
  const int top = static_cast<int>(warp()) / 2 * kSide, left = static_cast<int>(warp()) % 2 * kSide;
#pragma unroll
  for (int step = 0; step < kStep; step += 16) {
    const int k = step + 2 * t;
    uint32_t right[kWide][2];
#pragma unroll
    for (int n = 0; n < kWide; ++n)
      for (int half = 0; half < 2; ++half) right[n][half] = pair(b, left + n * 8 + g, k + half * 8);
#pragma unroll
    for (int m = 0; m < kTall; ++m) {
      const int row = top + m * 16 + g;
      const uint32_t down[4] = {pair(a, row, k), pair(a, row + 8, k), pair(a, row, k + 8),
                                pair(a, row + 8, k + 8)};
#pragma unroll
      for (int n = 0; n < kWide; ++n) multiply_add(sums[m][n], down, right[n]);
    }
  }
}

/// Writes products as they are.
struct StoreAll {
  __device__ static void write(const Multiply& m, const Sums& sums, int64_t rows, int64_t top,
                               int64_t left) {
    const int64_t g = lane() / 4, t = lane() % 4;
    for (int i = 0; i < kTall; ++i)
      for (int n = 0; n < kWide; ++n)
        for (int v = 0; v < 4; ++v) {
          const int64_t row = top + i * 16 + v / 2 * 8 + g;
          const int64_t column = left + n * 8 + 2 * t + v % 2;
          if (row < rows && column < m.columns) m.out[row * m.columns + column] = sums[i][n][v];
        }
  }
};

/// Writes the largest of each group.
struct StoreMaxima {
  __device__ static void write(const Multiply& m, const Sums& sums, int64_t rows, int64_t top,
                               int64_t left) {
    constexpr int kOfGroup = kGroup / 8;
    const int64_t g = lane() / 4, t = lane() % 4;
    const int64_t groups = (m.columns + kGroup - 1) / kGroup;
    for (int i = 0; i < kTall; ++i)
      for (int half = 0; half < 2; ++half)
        for (int group = 0; group < kWide / kOfGroup; ++group) {
          float largest = -infinity();
          for (int n = group * kOfGroup; n < (group + 1) * kOfGroup; ++n)
            for (int v = 0; v < 2; ++v) {
              const float product = sums[i][n][half * 2 + v] + m.offsets[left + n * 8 + 2 * t + v];
              largest = is_nan(product) ? infinity() : fmaxf(largest, product);
            }
          // The four lanes of the row.
          largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
          largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
          const int64_t row = top + i * 16 + half * 8 + g, place = left / kGroup + group;
          if (t == 0 && row < rows && place < groups) m.out[row * groups + place] = largest;
        }
  }
};

template <typename Store>
__global__ void PATCHCORE_BOUNDS(kThreads, 2) products_kernel(Multiply m) {
  PATCHCORE_SHARED(Tiles, tiles);
  const int64_t across = (m.columns + kTile - 1) / kTile;
  const int64_t top = blockIdx.x / across * kTile, left = blockIdx.x % across * kTile;
  const int64_t rows = selected(m.selection);
  if (top >= rows) return;  // the whole block

  Sums sums = {};
  const auto copy = [&](int64_t step) {
    copy_tile(tiles.a[step % 2], m.a, top, rows, m.width, step * kStep);
    copy_tile(tiles.b[step % 2], m.b, left, m.columns, m.width, step * kStep);
  };
  const int64_t steps = m.width / kStep;
  copy(0);
  commit_copies();
  for (int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) copy(step + 1);
    commit_copies();  // of nothing, at the end, so that what is waited for is older
    wait_for_older_copies();
    __syncthreads();
    multiply_tiles(sums, tiles.a[step % 2], tiles.b[step % 2]);
    __syncthreads();  // the tiles may be written again
  }
  Store::write(m, sums, rows, top + warp() / 2 * kSide, left + warp() % 2 * kSide);
}

template <typename Store>
const char* launch_products(const Multiply& m, Stream stream) {
  const int64_t blocks = in_parts_of(m.selection.rows, kTile) * in_parts_of(m.columns, kTile);
  return launch(products_kernel<Store>, blocks, kThreads, stream, m);
}

}  // namespace

const char* multiply(const Multiply& m, Stream stream) {
  return launch_products<StoreAll>(m, stream);
}

const char* group_maxima(const Multiply& m, Stream stream) {
  return launch_products<StoreMaxima>(m, stream);
}

}  // namespace patchcore::cuda
