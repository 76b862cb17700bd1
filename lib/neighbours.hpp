// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

namespace patchcore {

/// Q x k, nearest first, ties to the lower row.
struct Neighbours {
  at::Tensor distances;  ///< float, unsquared L2
  at::Tensor rows;       ///< int64, of the bank
};

}  // namespace patchcore
