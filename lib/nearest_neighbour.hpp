// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "cuda/search.hpp"
#include "monitor.hpp"

namespace patchcore {

/// Q x k, nearest first, ties to the lower row.
struct Neighbours {
  at::Tensor distances;  ///< float, unsquared L2
  at::Tensor rows;       ///< int64, of the bank
};

/// The k nearest of each query's own candidates, nearest first, of equals the one that stands
/// first. queries: Q x D float; candidates: Q x c int64, rows of the bank. Returns Q x k. 1 <= k <=
/// c.
at::Tensor nearest_candidates(const at::Tensor& queries, const at::Tensor& bank,
                              const at::Tensor& candidates, int64_t k, const Monitor& monitor = {});

/// Exact nearest neighbours in a bank by squared L2. Immutable: any thread may search.
class NearestNeighbour {
 public:
  /// bank: K x D float, on the device that queries will come on. Throws Error(Cancelled).
  explicit NearestNeighbour(at::Tensor bank, const Monitor& monitor = {});

  /// queries: Q x D float. 1 <= k <= K. A matrix product finds the candidates; the distances are
  /// then summed as (q - m)^2, so that they don't suffer from cancellation.
  Neighbours search(const at::Tensor& queries, int64_t k, const Monitor& monitor = {}) const;

  /// For each of the bank's own rows its k nearest, itself first: N_b(m) of Eq. 7.
  at::Tensor own_neighbours(int64_t k, const Monitor& monitor = {}) const;

  const at::Tensor& bank() const { return bank_; }
  int64_t size() const { return bank_.size(0); }

 private:
  /// |m|^2 / 2 - q m, which orders the rows m as |q - m|^2 does: Q x K.
  at::Tensor order_of(const at::Tensor& queries, const Monitor& monitor) const;
  Neighbours select(const at::Tensor& queries, const at::Tensor& order, int64_t k) const;

  at::Tensor bank_;
  std::shared_ptr<const cuda::Search> cuda_;  ///< for k = 1, where there are kernels for the device
  at::Tensor centre_;      ///< D: the bank's mean, taken off to keep products small
  at::Tensor centred_t_;   ///< D x K
  at::Tensor half_norms_;  ///< K: |m - centre|^2 / 2
};

}  // namespace patchcore
