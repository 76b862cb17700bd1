// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "image.hpp"

namespace patchcore {

/// Where in a picture the patches were that each row of a bank stands for: a set of the cells of
/// the patches' grid, which number y * width + x.
struct Positions {
  at::Tensor bits;  ///< K x ceil(cells() / 8) uint8 on the CPU: bit c % 8 of byte c / 8 is cell c;
                    ///< undefined: not known
  Size grid;        ///< cells

  bool defined() const { return bits.defined(); }
  int64_t cells() const { return int64_t{grid.width} * grid.height; }

  /// Of `rows` rows. row_of_patch, cell_of_patch: N int64 on the CPU, each patch's row and cell.
  static Positions of(Size grid, int64_t rows, const at::Tensor& row_of_patch,
                      const at::Tensor& cell_of_patch);

  /// These, and behind them a row for each of some cells. N int64 on the CPU.
  Positions with(const at::Tensor& cell_of_row) const;
};

}  // namespace patchcore
