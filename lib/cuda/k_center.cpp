// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/k_center.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cuda/module.hpp"
#include "principal_axes.hpp"

namespace patchcore::cuda {
namespace {

constexpr int64_t kStepsAtOnce = 512;     // some 5 ms, between two looks at the monitor
constexpr int64_t kRowsAtOnce = 1 << 14;  // in double

/// Rows' principal coordinates, but for the last the norm of what they leave out; and what their
/// distance can be more than that of the rows.
struct Heads {
  at::Tensor values;  ///< N x kHead
  float slack;
};

Heads heads_of(const at::Tensor& rows, const Monitor& monitor) {
  const int64_t count = std::min(kHead - 1, rows.size(1));
  const at::Tensor axes = principal_axes(rows, count, monitor).to(rows.device());
  const at::Tensor mean = rows.mean(at::IntArrayRef{0}, false, at::kDouble);
  const at::Tensor values = at::zeros({rows.size(0), kHead}, rows.options());
  at::Tensor largest = at::zeros({}, mean.options());
  for (int64_t at = 0; at < rows.size(0); at += kRowsAtOnce) {
    monitor.check();
    // In double, so that no setting of LibTorch's makes products coarse.
    const at::Tensor centred = rows.slice(0, at, at + kRowsAtOnce).to(at::kDouble) - mean;
    const at::Tensor coordinates = at::matmul(centred, axes);
    const at::Tensor squares = centred.square().sum(1);
    const at::Tensor rest = (squares - coordinates.square().sum(1)).clamp_min(0).sqrt();
    values.slice(0, at, at + kRowsAtOnce).slice(1, 0, count).copy_(coordinates);
    values.slice(0, at, at + kRowsAtOnce).select(1, kHead - 1).copy_(rest);
    largest = at::maximum(largest, squares.max());
  }
  return {values, static_cast<float>(std::sqrt(largest.item<double>()) * 0x1p-20)};
}

/// A walk through all rows in steps that have nothing to do with a frame's width: patches that lie
/// beside each other are near to the same centres, and would all be one warp's work.
at::Tensor scattered(int64_t count) {
  auto step = static_cast<int64_t>(static_cast<double>(count) * 0.6180339887);
  while (std::gcd(++step, count) != 1) {
  }
  return at::arange(count, at::kLong).mul_(step).remainder_(count);
}

}  // namespace

at::Tensor greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                           const Kernels& kernels, const Monitor& monitor) {
  const c10::DeviceGuard guard(rows.device());
  count = std::min(count, rows.size(0));
  const at::Tensor points = rows.contiguous();
  const Heads heads = heads_of(points, monitor);
  const at::Tensor order = scattered(points.size(0)).to(points.device());
  at::Tensor place = at::empty_like(order);
  place.index_copy_(0, order, at::arange(points.size(0), order.options()));
  const at::Tensor heads_in_order = heads.values.index_select(0, order).t().contiguous();
  const at::Tensor order32 = order.to(at::kInt), place32 = place.to(at::kInt);
  const at::Tensor minimum =
      seed.minimum.defined()
          ? seed.minimum.square().index_select(0, order)
          : at::full({points.size(0)}, std::numeric_limits<float>::infinity(), points.options());
  const at::Tensor best = at::zeros({2 * kMostBlocks}, order.options());
  const at::Tensor chosen = at::empty({count}, order.options());
  for (int64_t at = 0; at < count; at += kStepsAtOnce) {
    monitor.check();
    const int64_t steps = std::min(kStepsAtOnce, count - at);
    check(kernels.choose(
        {pointer<float>(points), points.size(0), points.size(1), pointer<float>(heads_in_order),
         pointer<int32_t>(order32), pointer<int32_t>(place32), heads.slack, pointer<float>(minimum),
         pointer<uint64_t>(best), pointer<int64_t>(chosen) + at, steps,
         at == 0 ? seed.first_row : -1},
        current_stream(points.device())));
    synchronize(points.device());
    monitor.report(static_cast<double>(at + steps) / static_cast<double>(count));
  }
  return chosen.cpu();
}

}  // namespace patchcore::cuda
