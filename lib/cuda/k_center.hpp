// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "coreset.hpp"
#include "cuda/kernels.hpp"

namespace patchcore::cuda {

/// patchcore::greedy_k_center() on a GPU, without a word from the host between hundreds of steps.
/// rows: contiguous, below 2^31 of them.
at::Tensor greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                           const Kernels& kernels, const Monitor& monitor = {});

}  // namespace patchcore::cuda
