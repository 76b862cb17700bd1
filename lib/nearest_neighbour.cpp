// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nearest_neighbour.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "cuda/module.hpp"

namespace patchcore {
namespace {

constexpr int64_t kGathered = 2 << 20;  // values of candidates between two looks at the monitor

}  // namespace

at::Tensor nearest_candidates(const at::Tensor& queries, const at::Tensor& bank,
                              const at::Tensor& candidates, int64_t k, const Monitor& monitor) {
  const int64_t at_once = std::max<int64_t>(1, kGathered / (candidates.size(1) * bank.size(1)));
  at::Tensor rows = at::empty({queries.size(0), k}, candidates.options());
  for (int64_t at = 0; at < rows.size(0); at += at_once) {
    monitor.check();
    const int64_t end = at + at_once;
    rows.slice(0, at, end)
        .copy_(first_of(queries.slice(0, at, end), bank, candidates.slice(0, at, end), k).rows);
  }
  return rows;
}

NearestNeighbour::NearestNeighbour(at::Tensor bank, const Monitor& monitor)
    : bank_(bank.contiguous()),
      search_(bank_.is_cpu() ? Search(PrunedSearch(bank_, monitor))
                             : Search(ProductSearch(bank_, monitor))) {
  if (const auto* kernels = bank_.is_cuda() ? cuda::kernels() : nullptr)
    cuda_ = std::make_shared<const cuda::Search>(bank_, *kernels, monitor);
}

Neighbours NearestNeighbour::search(const at::Tensor& queries, int64_t k,
                                    const Monitor& monitor) const {
  if (cuda_ && k == 1) return cuda_->search(queries, monitor);
  return std::visit([&](const auto& search) { return search.search(queries, k, monitor); },
                    search_);
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
