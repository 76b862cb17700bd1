// SPDX-License-Identifier: LGPL-2.1-or-later
#include "positions.hpp"

#include <ATen/ATen.h>

namespace patchcore {

Positions Positions::of(Size grid, int64_t rows, const at::Tensor& row_of_patch,
                        const at::Tensor& cell_of_patch) {
  constexpr int64_t kBits = 8;
  Positions positions{{}, grid};
  const int64_t bytes = (positions.cells() + kBits - 1) / kBits;
  positions.bits = at::zeros({rows, bytes}, at::kByte);
  auto* bits = positions.bits.data_ptr<uint8_t>();
  const auto row = row_of_patch.accessor<int64_t, 1>(), cell = cell_of_patch.accessor<int64_t, 1>();
  for (int64_t i = 0; i < row.size(0); ++i) {
    uint8_t& byte = bits[row[i] * bytes + cell[i] / kBits];
    byte = static_cast<uint8_t>(byte | 1u << cell[i] % kBits);
  }
  return positions;
}

Positions Positions::with(const at::Tensor& cell_of_row) const {
  const int64_t more = cell_of_row.size(0);
  return {at::cat({bits, of(grid, more, at::arange(more), cell_of_row).bits}), grid};
}

}  // namespace patchcore
