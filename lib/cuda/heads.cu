// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kWarps = kThreads / kWarp;  // a row each

__device__ inline int64_t row_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kWarps + warp();
}

__global__ void round_rows_kernel(RoundRows r) {
  const int64_t place = row_of_warp();
  if (place >= selected(r.selection)) return;  // the whole warp
  const float* row = r.rows + (r.selection.list ? r.selection.list[place] : place) * r.width;
  uint16_t* out = r.out + place * r.out_width;
  float square = 0, moved = 0;
  for (int64_t i = lane(); i < r.out_width; i += kWarp) {
    const float value = i < r.width ? row[i] - r.mean[i] : 0;
    const uint16_t rounded = to_bf16(value);
    const float kept = from_bf16(rounded);
    out[i] = rounded;
    square = fmaf(kept, kept, square);
    moved = fmaf(kept - value, kept - value, moved);
  }
  square = warp_sum(square);
  moved = warp_sum(moved);
  if (lane() == 0) {
    r.squares[place] = square;
    r.slack[place] = rounding_slack(square, moved);
  }
}

__global__ void make_heads_kernel(MakeHeads m) {
  const int64_t row = row_of_warp();
  if (row >= m.rows) return;
  const float* coordinates = m.coordinates + row * m.count;
  uint16_t* out = m.out + row * m.width;
  float inside = 0, square = 0, moved = 0;
  for (int64_t i = lane(); i < m.width; i += kWarp) {
    if (i == m.count) continue;
    const float value = i < m.count ? coordinates[i] / m.scale : 0;
    const uint16_t rounded = to_bf16(value);
    const float kept = from_bf16(rounded);
    out[i] = rounded;
    inside = fmaf(value, value, inside);
    square = fmaf(kept, kept, square);
    moved = fmaf(kept - value, kept - value, moved);
  }
  inside = warp_sum(inside);
  square = warp_sum(square);
  moved = warp_sum(moved);
  if (lane() != 0) return;

  const float whole = m.row_squares[row];
  const float rest = sqrtf(whole > inside ? whole - inside : 0);
  const uint16_t rounded = to_bf16(rest);
  const float kept = from_bf16(rounded);
  out[m.count] = rounded;
  m.squares[row] = fmaf(kept, kept, square);
  moved = fmaf(kept - rest, kept - rest, moved);
  m.slack[row] = m.row_slack[row] + sqrtf(moved) * (1 + 0x1p-10F) +
                 sqrtf(whole) * (product_error(m.row_width) + 0x1p-21F) +
                 rest_error(whole, rest, m.row_width);
}

}  // namespace

const char* round_rows(const RoundRows& r, Stream stream) {
  return launch(round_rows_kernel, in_parts_of(r.selection.rows, kWarps), kThreads, stream, r);
}

const char* make_heads(const MakeHeads& m, Stream stream) {
  return launch(make_heads_kernel, in_parts_of(m.rows, kWarps), kThreads, stream, m);
}

}  // namespace patchcore::cuda
