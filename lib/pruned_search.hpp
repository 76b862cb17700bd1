// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/kernels.hpp"
#include "monitor.hpp"
#include "neighbours.hpp"
#include "principal_heads.hpp"

namespace patchcore {

/// Exact nearest neighbours on the CPU without most of the distances. Products of short heads in
/// bf16 give a lower bound of each; only rows that it leaves closer than the k nearest so far are
/// computed, most promising first, as the fp32 sum of (q - m)^2. Where heads rule out too little,
/// as among random vectors, products of whole rows in bf16 take their place. Immutable.
class PrunedSearch {
 public:
  /// bank: K x D float on the CPU, contiguous. Throws Error(Cancelled).
  explicit PrunedSearch(at::Tensor bank, const Monitor& monitor = {},
                        const kernels::Kernels& kernels = kernels::kernels());

  /// queries: Q x D float on the CPU. 1 <= k <= K. The distances are the same to the last bit on
  /// every processor, in whatever company a query comes and with any number of threads.
  Neighbours search(const at::Tensor& queries, int64_t k, const Monitor& monitor = {}) const;

 private:
  at::Tensor bank_;
  const kernels::Kernels& kernels_;
  PrincipalHeads principal_;
  PackedHeads heads_;
};

}  // namespace patchcore
