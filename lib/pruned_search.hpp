// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/kernels.hpp"
#include "monitor.hpp"
#include "neighbours.hpp"
#include "principal_heads.hpp"

namespace patchcore {

/// Exact nearest neighbours on the CPU without most of the distances. Products of short heads in
/// bf16 give a lower bound of each; of rows that it leaves closer than the k nearest so far, longer
/// heads give a better one; only what that leaves is computed, most promising first, as the fp32
/// sum of (q - m)^2. Queries that heads are of little use to, as among random vectors, go on with
/// products of whole rows in bf16. Immutable.
class PrunedSearch {
 public:
  /// bank: K x D float on the CPU, contiguous. Throws Error(Cancelled).
  explicit PrunedSearch(at::Tensor bank, const Monitor& monitor = {},
                        const kernels::Kernels& kernels = kernels::kernels());

  /// queries: Q x D float on the CPU. 1 <= k <= K. The distances are the same to the last bit on
  /// every processor, in whatever company a query comes and with any number of threads.
  Neighbours search(const at::Tensor& queries, int64_t k, const Monitor& monitor = {}) const;

 private:
  class Walk;

  /// What makes of the product of short heads that of long ones: product - rest(q) rest(m) +
  /// shift(m) + the product of their tails, where a rest is a short head's last value and a tail
  /// what a long head has in its place.
  struct LongHeads {
    Heads heads;                ///< row by row; width 0 where long heads would be whole rows
    std::vector<float> rests;   ///< of each row's short head
    std::vector<float> shifts;  ///< of each row: (rest^2 - |tail|^2) / 2
    float slack = 0;            ///< the largest
    float norm = 0;             ///< the largest
  };

  static LongHeads lengthened(Heads heads, const Heads& short_heads);

  at::Tensor bank_;
  const kernels::Kernels& kernels_;
  PrincipalHeads principal_;
  PackedHeads short_;
  LongHeads long_;
  PackedHeads whole_;  ///< empty where short heads are whole rows
};

}  // namespace patchcore
