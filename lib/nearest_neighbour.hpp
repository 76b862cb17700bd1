// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <variant>

#include "cuda/search.hpp"
#include "monitor.hpp"
#include "neighbours.hpp"
#include "product_search.hpp"
#include "pruned_search.hpp"

namespace patchcore {

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

  /// queries: Q x D float. 1 <= k <= K.
  Neighbours search(const at::Tensor& queries, int64_t k, const Monitor& monitor = {}) const;

  /// For each of the bank's own rows its k nearest, itself first: N_b(m) of Eq. 7.
  at::Tensor own_neighbours(int64_t k, const Monitor& monitor = {}) const;

  const at::Tensor& bank() const { return bank_; }
  int64_t size() const { return bank_.size(0); }

 private:
  using Search = std::variant<PrunedSearch, ProductSearch>;

  at::Tensor bank_;
  Search search_;
  std::shared_ptr<const cuda::Search> cuda_;  ///< for k = 1, where there are kernels for the device
};

}  // namespace patchcore
