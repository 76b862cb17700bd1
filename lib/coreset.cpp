// SPDX-License-Identifier: LGPL-2.1-or-later
#include "coreset.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "blocks.hpp"
#include "cuda/k_center.hpp"
#include "cuda/module.hpp"
#include "greedy_k_center.hpp"

namespace patchcore {
namespace {

// The standard's engines give the same numbers everywhere, its distributions don't.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  // [0, 1)

  int64_t below(int64_t limit) {
    return std::min(static_cast<int64_t>(uniform() * static_cast<double>(limit)), limit - 1);
  }

 private:
  std::mt19937_64 engine_;
};

// One seed serves a fit; what it is used for tells the streams apart.
constexpr uint64_t kProjectionStream = 0x70726f6a;
constexpr uint64_t kStartStream = 0x73746172;

constexpr int64_t kDenseWidth = 128;
constexpr int64_t kRowsAtOnce = 1 << 14;  // of a product, between two looks at the monitor
constexpr int64_t kStartPoints = 10;

at::Tensor dense_projection(int64_t width, uint64_t seed) {
  Random random(seed ^ kProjectionStream);
  const double bound = 1 / std::sqrt(static_cast<double>(width));
  at::Tensor matrix = at::empty({width, kDenseWidth});
  float* values = matrix.data_ptr<float>();
  for (int64_t i = 0; i < matrix.numel(); ++i)
    values[i] = static_cast<float>((2 * random.uniform() - 1) * bound);
  return matrix;
}

/// Each entry is 0 with probability 1 - 1/sqrt(D), else plus or minus one value.
at::Tensor sparse_projection(int64_t width, int64_t target, uint64_t seed) {
  Random random(seed ^ kProjectionStream);
  const double density = 1 / std::sqrt(static_cast<double>(width));
  const auto value = static_cast<float>(std::sqrt(1 / density / static_cast<double>(target)));
  at::Tensor matrix = at::zeros({width, target});
  float* values = matrix.data_ptr<float>();
  for (int64_t i = 0; i < matrix.numel(); ++i) {
    const double draw = random.uniform();
    if (draw < density) values[i] = draw < density / 2 ? value : -value;
  }
  return matrix;
}

/// rows * matrix, in parts between which the work can be cancelled.
at::Tensor product(const at::Tensor& rows, const at::Tensor& matrix, const Monitor& monitor) {
  at::Tensor result = at::empty({rows.size(0), matrix.size(1)}, rows.options());
  for (int64_t at = 0; at < rows.size(0); at += kRowsAtOnce) {
    monitor.check();
    at::Tensor part = result.slice(0, at, at + kRowsAtOnce);
    at::matmul_out(part, rows.slice(0, at, at + kRowsAtOnce), matrix);
  }
  return result;
}

/// rows' principal axes as columns, that of the largest variance first. rows: with mean 0.
at::Tensor principal_axes(const at::Tensor& rows, const Monitor& monitor) {
  at::Tensor covariance = at::zeros({rows.size(1), rows.size(1)}, rows.options());
  for (const at::Tensor& part : rows.split(kRowsAtOnce)) {
    monitor.check();
    covariance.addmm_(part.t(), part);
  }
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(covariance.to(at::kDouble).cpu()));
  return vectors.flip(1).to(rows.options());
}

/// Rows for greedy k-center, turned so that most of a distance shows in the first few coordinates.
/// A row is head | rest, where the head is `kHead - 1` principal coordinates and the norm of the
/// rest: |head(x) - head(c)| never exceeds |x - c|, and tells most rows apart.
class PrincipalRows {
 public:
  PrincipalRows(const at::Tensor& rows, const Monitor& monitor) {
    const at::Tensor centred = rows - rows.mean(0);
    rows_ = product(centred, principal_axes(centred, monitor), monitor);
    const int64_t kept = std::min<int64_t>(kHead - 1, rows_.size(1));
    const at::Tensor residual = rows_.slice(1, kept).square().sum(1, true).sqrt_();
    head_ = at::cat({rows_.slice(1, 0, kept), residual}, 1).contiguous();
    head_squares_ = head_.square().sum(1);
    bound_ = at::empty_like(head_squares_);
    is_open_ = at::empty(bound_.sizes(), bound_.options().dtype(at::kBool));
  }

  /// minimum[i] = min(minimum[i], |x_i - x_centre|), all squared.
  void lower(at::Tensor& minimum, int64_t centre) {
    const at::Tensor head = head_[centre];
    const double square = head_squares_[centre].item<double>();
    // |h|^2 + |c|^2 - 2 h c, less what its rounding can amount to.
    at::addmv_out(bound_, head_squares_, head_, head, 1 - kSlack, -2);
    at::lt_out(is_open_, bound_.add_(square * (1 - kSlack)), minimum);
    const at::Tensor open = at::nonzero(is_open_).flatten();
    const at::Tensor distances = (rows_.index_select(0, open) - rows_[centre]).square_().sum(1);
    minimum.index_copy_(0, open, at::minimum(minimum.index_select(0, open), distances));
  }

 private:
  static constexpr int64_t kHead = 32;
  static constexpr double kSlack = 1e-5;  // of fp32 sums of 32 products, generously

  at::Tensor rows_;          ///< N x D in principal coordinates
  at::Tensor head_;          ///< N x 32
  at::Tensor head_squares_;  ///< N
  at::Tensor bound_;         ///< N: of the squared distance to the centre in hand
  at::Tensor is_open_;       ///< N: may that be below the running minimum
};

}  // namespace

at::Tensor project(const at::Tensor& rows, Projection projection, uint64_t seed,
                   const Monitor& monitor) {
  const int64_t width = rows.size(1);
  if (projection == Projection::Dense128) {
    if (width == kDenseWidth) return rows;
    return product(rows, dense_projection(width, seed).to(rows.device()), monitor);
  }
  // Johnson and Lindenstrauss at eps 0.9: eps^2 / 2 - eps^3 / 3 = 0.162.
  const auto target = static_cast<int64_t>(4 * std::log(static_cast<double>(rows.size(0))) / 0.162);
  if (target >= width || target < 1) return rows;
  return product(rows, sparse_projection(width, target, seed).to(rows.device()), monitor);
}

CoresetSeed coreset_seed(const at::Tensor& rows, CoresetStart start, uint64_t seed) {
  const int64_t n = rows.size(0);
  Random random(seed ^ kStartStream);
  if (start == CoresetStart::FirstPoint) return {{}, 0};
  if (start == CoresetStart::RandomPoint) return {{}, random.below(n)};

  std::vector<int64_t> points(n);
  std::iota(points.begin(), points.end(), 0);
  const int64_t count = std::min(kStartPoints, n);
  for (int64_t i = 0; i < count; ++i) std::swap(points[i], points[i + random.below(n - i)]);
  at::Tensor mean = at::zeros({n}, rows.options());
  int64_t first = 0;
  for (const at::Tensor& part : blocks(rows)) {
    at::Tensor sum = mean.slice(0, first, first + part.size(0));
    first += part.size(0);
    for (int64_t i = 0; i < count; ++i) sum += (part - rows[points[i]]).square_().sum(1).sqrt_();
  }
  return {mean / static_cast<double>(count), -1};
}

at::Tensor greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                           const Monitor& monitor) {
  if (rows.is_cpu()) return lazy_greedy_k_center(rows.contiguous(), count, seed, monitor);
  if (const auto* kernels = rows.is_cuda() ? cuda::kernels() : nullptr)
    return cuda::greedy_k_center(rows, count, seed, *kernels, monitor);
  count = std::min(count, rows.size(0));
  PrincipalRows points(rows, monitor);
  at::Tensor minimum = seed.minimum.defined() ? seed.minimum.square()
                                              : at::full({rows.size(0)}, INFINITY, rows.options());
  at::Tensor chosen = at::empty({count}, at::kLong);
  int64_t* out = chosen.data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    monitor.check();
    const int64_t centre =
        i == 0 && seed.first_row >= 0 ? seed.first_row : minimum.argmax().item<int64_t>();
    out[i] = centre;
    points.lower(minimum, centre);
    minimum[centre] = -1;  // never again, even where all that is left are copies
    monitor.report(static_cast<double>(i + 1) / static_cast<double>(count));
  }
  return chosen;
}

double covering_radius(const at::Tensor& rows, const at::Tensor& centres) {
  constexpr int64_t kBlock = 1024;
  const at::Tensor c = centres.to(at::kDouble);
  double largest = 0;
  for (const at::Tensor& part : rows.split(kBlock)) {
    const at::Tensor distances = at::cdist(part.to(at::kDouble), c, 2, /*compute_mode=*/2);
    largest = std::max(largest, distances.amin(1).max().item<double>());
  }
  return largest;
}

}  // namespace patchcore
