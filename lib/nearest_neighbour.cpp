// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nearest_neighbour.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace patchcore {
namespace {

constexpr int64_t kBlockValues = 8 << 20;  // products held at once: 32 MB
// Candidates beyond the k: fp32 products can't tell which of rows that hardly differ is nearest.
constexpr int64_t kSpare = 7;

/// |q - m|^2 of each query and its k rows, without cancellation. queries Q x D, rows Q x k.
at::Tensor exact_squares(const at::Tensor& queries, const at::Tensor& bank,
                         const at::Tensor& rows) {
  const auto k = rows.size(1);
  const at::Tensor members =
      bank.index_select(0, rows.flatten()).reshape({queries.size(0), k, queries.size(1)});
  return (members - queries.unsqueeze(1)).square_().sum(2);
}

}  // namespace

NearestNeighbour::NearestNeighbour(at::Tensor bank)
    : bank_(std::move(bank)),
      centre_(bank_.mean(0)),
      centred_t_((bank_ - centre_).t().contiguous()),
      half_norms_(centred_t_.square().sum(0).mul_(0.5)) {}

Neighbours NearestNeighbour::search(const at::Tensor& queries, int64_t k,
                                    const Monitor& monitor) const {
  const int64_t block = std::max<int64_t>(16, kBlockValues / std::max<int64_t>(size(), 1));
  std::vector<at::Tensor> distances, rows;
  for (const at::Tensor& part : queries.split(block)) {
    monitor.check();
    Neighbours found = search_block(part, k);
    distances.push_back(std::move(found.distances));
    rows.push_back(std::move(found.rows));
  }
  return {at::cat(distances), at::cat(rows)};
}

Neighbours NearestNeighbour::search_block(const at::Tensor& queries, int64_t k) const {
  // |q - m|^2 / 2 = |q|^2 / 2 + (|m|^2 / 2 - q m): the bracket alone orders the rows.
  const at::Tensor order = at::addmm(half_norms_, queries - centre_, centred_t_, 1, -1);
  const int64_t candidates = std::min(k + kSpare, size());
  at::Tensor rows = std::get<1>(order.topk(candidates, 1, /*largest=*/false, /*sorted=*/false));
  // Rows ascending first, so that the stable sort by distance leaves ties to the lower row.
  rows = std::get<0>(rows.sort(1));
  auto [squares, by_distance] =
      exact_squares(queries, bank_, rows).sort(/*stable=*/true, 1, /*descending=*/false);
  return {squares.slice(1, 0, k).sqrt(), rows.gather(1, by_distance.slice(1, 0, k))};
}

at::Tensor NearestNeighbour::own_neighbours(int64_t k, const Monitor& monitor) const {
  at::Tensor rows = search(bank_, k, monitor).rows;
  // A copy of a row may stand before the row itself, or even crowd it out: it goes to the front.
  const at::Tensor self = at::arange(size(), rows.options()).unsqueeze(1);
  at::Tensor rank = at::arange(k, rows.options()).add_(1).expand({size(), k}).clone();
  rank.masked_fill_(rows == self, 0);
  rows = rows.gather(1, rank.argsort(/*stable=*/true, 1, /*descending=*/false));
  rows.select(1, 0).copy_(self.squeeze(1));
  return rows;
}

}  // namespace patchcore
