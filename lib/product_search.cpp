// SPDX-License-Identifier: LGPL-2.1-or-later
#include "product_search.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "blocks.hpp"

namespace patchcore {
namespace {

constexpr int64_t kBlockValues = 8 << 20;      // products held at once: 32 MB
constexpr int64_t kGatheredValues = 32 << 20;  // of the candidates' rows
// Between two looks at the monitor, some 20 ms each:
constexpr int64_t kMultiplications = 1 << 30;
constexpr int64_t kSelected = 2 << 20;  // values
// Candidates beyond the k: fp32 products can't tell which of rows that hardly differ is nearest.
constexpr int64_t kSpare = 7;

/// The columns of the `count` smallest values of each row, in any order. Columns go in groups of
/// sixteen that lie a stride apart: the smallest values are in the groups with the smallest minima,
/// and a minimum over groups is a single pass where a selection of all columns is many.
at::Tensor smallest(const at::Tensor& values, int64_t count) {
  constexpr int64_t kGroup = 16, kWorthwhile = 4;
  const auto among = [](const at::Tensor& v, int64_t n) {
    return std::get<1>(v.topk(n, 1, /*largest=*/false, /*sorted=*/false));
  };
  const int64_t rows = values.size(0), groups = values.size(1) / kGroup, grouped = groups * kGroup;
  if (groups < kWorthwhile * count) return among(values, count);

  const at::Tensor minima = values.slice(1, 0, grouped).unflatten(1, {kGroup, groups}).amin(1);
  const at::Tensor members = at::arange(kGroup, at::kLong).mul_(groups).to(values.device());
  const at::Tensor rest =
      at::arange(grouped, values.size(1), at::kLong).to(values.device()).expand({rows, -1});
  const at::Tensor columns =
      at::cat({(among(minima, count).unsqueeze(2) + members).flatten(1), rest}, 1);
  return columns.gather(1, among(values.gather(1, columns), count));
}

}  // namespace

Neighbours first_of(const at::Tensor& queries, const at::Tensor& bank, const at::Tensor& rows,
                    int64_t count, const at::Tensor& out) {
  const at::Tensor members =
      bank.index_select(0, rows.flatten()).reshape({queries.size(0), rows.size(1), -1});
  at::Tensor exact = (members - queries.unsqueeze(1)).square_().sum(2);
  if (out.defined()) exact.masked_fill_(out, std::numeric_limits<float>::infinity());
  const auto [squares, order] = exact.sort(/*stable=*/true, 1, /*descending=*/false);
  return {squares.slice(1, 0, count).sqrt(), rows.gather(1, order.slice(1, 0, count))};
}

ProductSearch::ProductSearch(at::Tensor bank, const Monitor& monitor)
    : bank_(std::move(bank)),
      centre_(at::zeros({bank_.size(1)}, bank_.options())),
      centred_t_(at::empty({bank_.size(1), size()}, bank_.options())),
      half_norms_(at::empty({size()}, bank_.options())) {
  const auto parts = blocks(bank_);
  for (const at::Tensor& part : parts) {
    monitor.check();
    centre_ += part.sum(0);
  }
  centre_ /= static_cast<double>(size());
  int64_t first = 0;
  for (const at::Tensor& part : parts) {
    monitor.check();
    const at::Tensor centred = part - centre_;
    const int64_t last = first + part.size(0);
    centred_t_.slice(1, first, last).copy_(centred.t());
    half_norms_.slice(0, first, last).copy_(centred.square().sum(1).mul_(0.5));
    first = last;
  }
}

Neighbours ProductSearch::search(const at::Tensor& queries, int64_t k,
                                 const Monitor& monitor) const {
  return search(queries, k, OutOf(), monitor);
}

Neighbours ProductSearch::search(const at::Tensor& queries, int64_t k, const OutOf& out_of,
                                 const Monitor& monitor) const {
  const int64_t gathered = std::min(k + kSpare, size()) * bank_.size(1);
  const int64_t block =
      std::max<int64_t>(16, std::min(kBlockValues / size(), kGatheredValues / gathered));
  std::vector<at::Tensor> distances, rows;
  for (int64_t first = 0; first < queries.size(0) || first == 0; first += block) {
    const at::Tensor part = queries.slice(0, first, first + block);
    const at::Tensor order = order_of(part, monitor);
    if (out_of)
      order.masked_fill_(out_of(first, first + part.size(0)).to(order.device()),
                         std::numeric_limits<float>::infinity());
    const int64_t some = monitor.cancelled ? std::max<int64_t>(1, kSelected / size()) : block;
    for (int64_t at = 0; at < std::max<int64_t>(1, part.size(0)); at += some) {
      monitor.check();
      Neighbours found = select(part.slice(0, at, at + some), order.slice(0, at, at + some), k,
                                static_cast<bool>(out_of));
      distances.push_back(std::move(found.distances));
      rows.push_back(std::move(found.rows));
    }
  }
  return {at::cat(distances), at::cat(rows)};
}

at::Tensor ProductSearch::order_of(const at::Tensor& queries, const Monitor& monitor) const {
  at::Tensor order = at::empty({queries.size(0), size()}, queries.options());
  const at::Tensor centred = queries - centre_;
  // By rows of the bank, each of which is read once so; whole where nobody can cancel.
  const int64_t part =
      monitor.cancelled ? std::max<int64_t>(256, kMultiplications / (queries.numel() + 1)) : size();
  for (int64_t at = 0; at < size(); at += part) {
    monitor.check();
    at::Tensor out = order.slice(1, at, at + part);
    at::addmm_out(out, half_norms_.slice(0, at, at + part), centred,
                  centred_t_.slice(1, at, at + part), 1, -1);
  }
  return order;
}

Neighbours ProductSearch::select(const at::Tensor& queries, const at::Tensor& order, int64_t k,
                                 bool out_of_reach) const {
  const int64_t candidates = std::min(k + kSpare, size());
  // Rows ascending first, so that the stable sort by distance leaves ties to the lower row.
  const at::Tensor rows = std::get<0>(smallest(order, candidates).sort(1));
  return first_of(queries, bank_, rows, k,
                  out_of_reach ? order.gather(1, rows).isposinf() : at::Tensor());
}

}  // namespace patchcore
