// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "monitor.hpp"
#include "positions.hpp"

namespace patchcore {

/// Which rows of a bank count for a patch of a fixed camera's picture: those that were seen within
/// `radius` cells of its own, up and down, left and right. Immutable.
class Reach {
 public:
  /// Rows whose bits are one word.
  static constexpr int64_t kWordRows = 64;

  /// Throws Error(Cancelled).
  Reach(const Positions& positions, int radius, const Monitor& monitor = {});

  Size grid() const { return grid_; }
  int64_t rows() const { return rows_; }

  /// How many rows a cell has.
  int64_t count(int64_t cell) const { return counts_[static_cast<size_t>(cell)]; }

  /// A cell's rows: bit r % 64 of word r / 64 is row r.
  std::span<const uint64_t> words(int64_t cell) const {
    return {words_ + cell * bits_.size(1), static_cast<size_t>(bits_.size(1))};
  }

  /// The same as a mask: N int64 on the CPU to N x rows() bool.
  at::Tensor mask(const at::Tensor& cells) const;

 private:
  Size grid_;
  int64_t rows_;
  at::Tensor bits_;  ///< cells x words int64, on the CPU
  const uint64_t* words_;
  std::vector<int64_t> counts_;  ///< of each cell: its rows
};

}  // namespace patchcore
