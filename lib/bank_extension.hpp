// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "memory_bank.hpp"

namespace patchcore {

/// A bank that has learnt some more patches as normal: the old rows first, then, farthest first,
/// those patches that lie at or beyond `covered` from every row so far, until each of them lies
/// nearer than that to a row. Neighbours are found anew, the rest is kept; `bank` isn't changed.
///
/// patches: N x D float on the CPU, may have no row. cells: where these were, N int64 on the CPU
/// (see Embedding::cells()), of a bank with positions; else they don't matter, and may be
/// undefined. covered: in the units of the map, that is squared where the bank's distance is; 0 or
/// less takes every patch that is no copy of a row.
///
/// Of a bank with positions a row covers what it is in the reach of, and a new one was seen where
/// its patch was.
///
/// Throws Error(InvalidArgument) where patches have another width or aren't finite, where cells are
/// missing or outside of the grid, and where covered is NaN; Error(Cancelled).
MemoryBank extended(const MemoryBank& bank, const at::Tensor& patches, const at::Tensor& cells,
                    double covered, const Monitor& monitor = {});

}  // namespace patchcore
