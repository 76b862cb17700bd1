// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bank_search.hpp"

#include <ATen/ATen.h>

namespace patchcore {
BankSearch::BankSearch(const MemoryBank& bank, c10::Device device, const Monitor& monitor)
    : search_(bank.rows.to(device), monitor), own_neighbours_(bank.neighbours.to(device)) {
  if (bank.settings.search_radius == 0) return;
  reach_.emplace(bank.positions, bank.settings.search_radius, monitor);
  if (device.is_cpu())
    placed_.emplace(search_.bank(), *reach_, monitor);
  else
    products_.emplace(search_.bank(), monitor);
}

Neighbours BankSearch::nearest(const Embedding& embedding, const at::Tensor& patches,
                               int64_t k) const {
  const at::Tensor rows =
      patches.defined() ? embedding.rows.index_select(0, patches) : embedding.rows;
  if (!reach_) return search_.search(rows, k);
  if (embedding.grid() != reach_->grid())
    throw Error(ErrorCode::Incompatible,
                "The bank knows where in pictures of " + text(reach_->grid()) +
                    " patches things are, this one has " + text(embedding.grid()) + ".");
  const at::Tensor cells = embedding.cells();
  return nearest(rows, patches.defined() ? cells.index_select(0, patches.cpu()) : cells, k);
}

Neighbours BankSearch::nearest(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                               const Monitor& monitor) const {
  if (!reach_) return search_.search(queries, k, monitor);
  std::vector<int64_t> placed, others;
  const auto cell = cells.accessor<int64_t, 1>();
  for (int64_t i = 0; i < cells.size(0); ++i)
    (reach_->count(cell[i]) >= k ? placed : others).push_back(i);
  if (others.empty()) return in_reach(queries, cells, k, monitor);

  Neighbours all{at::empty({queries.size(0), k}, queries.options()),
                 at::empty({queries.size(0), k}, queries.options().dtype(at::kLong))};
  const auto put = [&](const std::vector<int64_t>& those, const auto& find) {
    if (those.empty()) return;
    const at::Tensor index = at::tensor(those, at::kLong), there = index.to(queries.device());
    const Neighbours found = find(queries.index_select(0, there), cells.index_select(0, index));
    all.distances.index_copy_(0, there, found.distances);
    all.rows.index_copy_(0, there, found.rows);
  };
  put(placed, [&](const auto& q, const auto& c) { return in_reach(q, c, k, monitor); });
  put(others, [&](const auto& q, const auto&) { return search_.search(q, k, monitor); });
  return all;
}

/// Each of the cells has as many rows.
Neighbours BankSearch::in_reach(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                                const Monitor& monitor) const {
  if (placed_) return placed_->search(queries, cells, k, monitor);
  const auto out_of = [&](int64_t from, int64_t to) {
    return reach_->mask(cells.slice(0, from, to)).logical_not_();
  };
  return products_->search(queries, k, out_of, monitor);
}

}  // namespace patchcore
