// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/kernels.hpp"
#include "monitor.hpp"
#include "neighbours.hpp"
#include "principal_heads.hpp"
#include "reach.hpp"

namespace patchcore {

/// Exact nearest neighbours on the CPU among the rows that are in the reach of each patch's cell.
/// The grid is cut into regions, each of which has the short heads of those rows alone that are in
/// the reach of one of its cells: products with these give a lower bound of each distance, and only
/// what that leaves, in the patch's own reach, is computed, as PrunedSearch does it. Immutable.
class PlacedSearch {
 public:
  /// bank: K x D float on the CPU, contiguous; reach: of its rows. Throws Error(Cancelled).
  PlacedSearch(at::Tensor bank, const Reach& reach, const Monitor& monitor = {},
               const kernels::Kernels& kernels = kernels::kernels());

  /// queries: Q x D float on the CPU; cells: Q int64 on the CPU, each with k rows in its reach at
  /// least. The distances are the same to the last bit on every processor, in whatever company a
  /// query comes and with any number of threads.
  Neighbours search(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                    const Monitor& monitor = {}) const;

 private:
  class Walk;

  /// A rectangle of cells, and what is in the reach of one of them.
  struct Region {
    std::vector<int64_t> rows;    ///< ascending
    PackedHeads heads;            ///< of these
    std::vector<uint64_t> words;  ///< of each cell: bit i % 64 of word i / 64 is rows[i]
  };

  /// Queries of one region that are looked at together, of those in the order of their regions.
  struct Tile {
    int64_t first, count, region;
  };

  std::vector<int64_t> rows_of(const Reach& reach, int64_t region) const;
  void choose_regions(const Reach& reach);
  Region make_region(const Reach& reach, int64_t region, const Heads& heads) const;
  int64_t regions() const;
  int64_t region_of(int64_t cell) const;
  int64_t place_in_region(int64_t cell) const;
  std::vector<int64_t> cells_of(int64_t region) const;
  std::vector<Tile> tiles_of(const std::vector<int64_t>& regions) const;

  at::Tensor bank_;
  const kernels::Kernels& kernels_;
  PrincipalHeads principal_;
  Size grid_;
  Size region_;  ///< cells of a region
  std::vector<Region> regions_;
};

}  // namespace patchcore
