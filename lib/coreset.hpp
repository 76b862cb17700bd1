// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "monitor.hpp"
#include "settings.hpp"

namespace patchcore {

/// The random projection that a coreset is chosen in (the bank keeps the unprojected rows).
/// rows: N x D float. Returns N x D' float, or `rows` itself where the settings ask for none.
/// Every random number comes from `seed`, on the CPU, whatever the device of `rows`.
at::Tensor project(const at::Tensor& rows, Projection projection, uint64_t seed,
                   const Monitor& monitor = {});

/// Where the running minimum of greedy k-center begins.
struct CoresetSeed {
  at::Tensor minimum;      ///< N distances, or undefined
  int64_t first_row = -1;  ///< the first centre, or -1: the row of the largest minimum
};

CoresetSeed coreset_seed(const at::Tensor& rows, CoresetStart start, uint64_t seed);

/// Greedy k-center (Sener and Savarese 2018; the paper's algorithm 1): again and again the row
/// farthest from all centres becomes a centre. The choice is that of the plain algorithm; rows that
/// a lower bound of their distance rules out are not computed. Ties go to the lower row.
/// rows: N x D float. Returns `count` row indices in the order of choice, int64 on the CPU.
at::Tensor greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                           const Monitor& monitor = {});

/// The largest distance of a row to its nearest centre, in fp64.
double covering_radius(const at::Tensor& rows, const at::Tensor& centres);

}  // namespace patchcore
