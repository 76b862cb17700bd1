// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "monitor.hpp"
#include "neighbours.hpp"

namespace patchcore {

/// Exact nearest neighbours on any device by ATen's operators. A matrix product finds the
/// candidates; the distances are then summed as (q - m)^2, so that they don't suffer from
/// cancellation. Immutable.
class ProductSearch {
 public:
  /// bank: K x D float. Throws Error(Cancelled).
  explicit ProductSearch(at::Tensor bank, const Monitor& monitor = {});

  /// queries: Q x D float on the bank's device. 1 <= k <= K.
  Neighbours search(const at::Tensor& queries, int64_t k, const Monitor& monitor = {}) const;

  /// Calls out_of(from, to) for the rows that don't count for the queries from..to: (to - from) x K
  /// bool, on any device. k is no more than there are others.
  using OutOf = std::function<at::Tensor(int64_t from, int64_t to)>;
  Neighbours search(const at::Tensor& queries, int64_t k, const OutOf& out_of,
                    const Monitor& monitor = {}) const;

 private:
  int64_t size() const { return bank_.size(0); }

  /// |m|^2 / 2 - q m, which orders the rows m as |q - m|^2 does: Q x K.
  at::Tensor order_of(const at::Tensor& queries, const Monitor& monitor) const;
  /// out_of_reach: some of the order are infinite, and don't count.
  Neighbours select(const at::Tensor& queries, const at::Tensor& order, int64_t k,
                    bool out_of_reach) const;

  at::Tensor bank_;
  at::Tensor centre_;      ///< D: the bank's mean, taken off to keep products small
  at::Tensor centred_t_;   ///< D x K
  at::Tensor half_norms_;  ///< K: |m - centre|^2 / 2
};

/// The first `count` of each query's rows, nearest first, of equals the one that stands first.
/// rows: Q x c int64, of the bank. out: Q x c bool, of those that don't count, or undefined; they
/// come last, infinitely far.
Neighbours first_of(const at::Tensor& queries, const at::Tensor& bank, const at::Tensor& rows,
                    int64_t count, const at::Tensor& out = {});

}  // namespace patchcore
