// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "coreset.hpp"
#include "kernels/kernels.hpp"

namespace patchcore {

/// greedy_k_center for rows on the CPU, N x D float, contiguous. It goes in rounds. As distances to
/// the nearest centre only ever fall, the few rows that are farthest (the pool) hold the next
/// centres for as long as one of them is farther than all rows outside were when the round began.
/// Then all rows see the round's centres at once. Heads rule out most distances; the others are
/// computed as Kernels::squared_distance, so that the choice is the same to the last tie in every
/// instruction set and with any number of threads.
at::Tensor lazy_greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                                const Monitor& monitor = {},
                                const kernels::Kernels& kernels = kernels::kernels());

}  // namespace patchcore
