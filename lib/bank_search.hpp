// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "patch_embedding.hpp"
#include "placed_search.hpp"

namespace patchcore {

/// A bank's rows on a device, ready to be searched for patches of pictures. With the setting
/// search_radius a patch sees those rows alone that were seen near its place, or all where fewer
/// were than it needs. Immutable: any thread.
class BankSearch {
 public:
  /// Throws Error(Cancelled).
  BankSearch(const MemoryBank& bank, c10::Device device, const Monitor& monitor = {});

  /// Of all rows, wherever they were seen.
  const NearestNeighbour& all() const { return search_; }

  /// K x b, see NearestNeighbour::own_neighbours(): of all rows, wherever they were seen.
  const at::Tensor& own_neighbours() const { return own_neighbours_; }

  /// The k nearest of some patches. patches: n int64, on the embedding's device, of its rows;
  /// undefined: all. Throws Error(Incompatible), naming both sides, where the bank's positions are
  /// those of pictures of another size.
  Neighbours nearest(const Embedding& embedding, const at::Tensor& patches, int64_t k) const;

  /// The same of rows of anywhere. queries: Q x D float on the device; cells: Q int64 on the CPU,
  /// of the bank's grid, see Embedding::cells(); undefined where there is no search radius.
  Neighbours nearest(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                     const Monitor& monitor = {}) const;

 private:
  Neighbours in_reach(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                      const Monitor& monitor) const;

  NearestNeighbour search_;  ///< of all rows
  at::Tensor own_neighbours_;
  std::optional<Reach> reach_;
  std::optional<PlacedSearch> placed_;     ///< on the CPU
  std::optional<ProductSearch> products_;  ///< on another device
};

}  // namespace patchcore
