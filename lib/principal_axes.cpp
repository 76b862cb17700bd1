// SPDX-License-Identifier: LGPL-2.1-or-later
#include "principal_axes.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <random>

namespace patchcore {
namespace {

constexpr int64_t kSample = 1 << 12;  // rows; more change little
constexpr int64_t kSpareAxes = 16;
constexpr int kIterations = 3;

at::Tensor random_matrix(int64_t rows, int64_t columns) {
  std::mt19937 random;  // always the same
  at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
  double* values = matrix.data_ptr<double>();
  for (int64_t i = 0; i < matrix.numel(); ++i) values[i] = static_cast<double>(random()) - 0x1p31;
  return matrix;
}

at::Tensor orthonormal(const at::Tensor& columns) { return std::get<0>(at::linalg_qr(columns)); }

}  // namespace

at::Tensor principal_axes(const at::Tensor& rows, int64_t count, const Monitor& monitor) {
  const int64_t step = (rows.size(0) + kSample - 1) / kSample, width = rows.size(1);
  const at::Tensor sample = rows.slice(0, 0, rows.size(0), step);
  const at::Tensor centred = sample - sample.mean(0);
  const at::Tensor covariance = at::matmul(centred.t(), centred).cpu().to(at::kDouble);
  // Any axes will do for values whose squares overflow.
  if (!covariance.isfinite().all().item<bool>())
    return at::eye(width, at::kDouble).slice(1, 0, count);

  // By subspace iteration: all axes would take seconds where rows are wide.
  const int64_t some = std::min(count + kSpareAxes, width);
  at::Tensor axes = random_matrix(width, some);
  for (int i = 0; i < kIterations; ++i) {
    monitor.check();
    axes = orthonormal(at::matmul(covariance, axes));
  }
  // Rayleigh and Ritz: the best within what they span, the largest last.
  const at::Tensor inner = at::matmul(axes.t(), at::matmul(covariance, axes));
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(inner)).flip(1);
  return orthonormal(at::matmul(axes, vectors.slice(1, 0, count)));
}

}  // namespace patchcore
