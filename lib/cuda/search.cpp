// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/search.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <limits>

#include "blocks.hpp"
#include "cuda/module.hpp"
#include "nearest_neighbour.hpp"
#include "principal_axes.hpp"

namespace patchcore::cuda {
namespace {

constexpr int64_t kPartValues = 64 << 20;  // held at once, of queries and of groups' maxima
// Some 128 exact distances take as long as all products of a whole row in bf16 with 16,384 rows.
constexpr int64_t kRowsADistance = 128, kLeastBudget = 32;

int64_t padded(int64_t size, int64_t step) { return (size + step - 1) / step * step; }

/// The largest of each group of rows.
at::Tensor group_largest(const at::Tensor& values) {
  const int64_t groups = padded(values.size(0), kGroup) / kGroup;
  return at::constant_pad_nd(values, {0, groups * kGroup - values.size(0)}, 0)
      .unflatten(0, {groups, kGroup})
      .amax(1);
}

}  // namespace

Search::Search(at::Tensor bank, const Kernels& kernels, const Monitor& monitor, int64_t head_width)
    : bank_(std::move(bank)), kernels_(kernels), head_width_(head_width) {
  const c10::DeviceGuard guard(bank_.device());
  mean_ = at::zeros({bank_.size(1)}, bank_.options());
  for (const at::Tensor& part : blocks(bank_)) {
    monitor.check();
    mean_ += part.sum(0);
  }
  mean_ /= static_cast<double>(bank_.size(0));
  const RoundedRows rows = round(bank_, {bank_.size(0)});
  whole_ = level_of(rows);
  if (rows.values.size(1) <= head_width) return;
  find_axes(head_width - 1, monitor);
  heads_ = level_of(heads_of(rows));
}

void Search::find_axes(int64_t count, const Monitor& monitor) {
  const at::Tensor axes = principal_axes(bank_, count, monitor).t().to(at::kBFloat16);
  const at::Tensor kept = axes.to(at::kDouble);
  const double largest = at::linalg_eigvalsh(at::matmul(kept, kept.t())).max().item<double>();
  scale_ = static_cast<float>(std::sqrt(largest) * (1 + 1e-6));
  const int64_t width = bank_.size(1);
  axes_ = at::constant_pad_nd(axes, {0, padded(width, kStep) - width}, 0)
              .to(bank_.device())
              .contiguous();
}

Search::RoundedRows Search::round(const at::Tensor& rows, const Selection& selection) const {
  const int64_t width = rows.size(1), out_width = padded(width, kStep);
  RoundedRows out{at::empty({selection.rows, out_width}, rows.options().dtype(at::kBFloat16)),
                  at::empty({selection.rows}, rows.options()),
                  at::empty({selection.rows}, rows.options())};
  check(kernels_.round_rows(
      {selection, pointer<float>(rows), pointer<float>(mean_), width, out_width,
       pointer<uint16_t>(out.values), pointer<float>(out.squares), pointer<float>(out.slack)},
      current_stream(rows.device())));
  return out;
}

Search::RoundedRows Search::heads_of(const RoundedRows& rounded) const {
  const int64_t rows = rounded.values.size(0), count = axes_.size(0), width = axes_.size(1);
  const auto options = rounded.squares.options();
  const Stream stream = current_stream(bank_.device());
  const at::Tensor coordinates = at::empty({rows, count}, options);
  check(kernels_.multiply({{rows},
                           pointer<uint16_t>(rounded.values),
                           pointer<uint16_t>(axes_),
                           count,
                           width,
                           nullptr,
                           pointer<float>(coordinates)},
                          stream));
  RoundedRows heads{at::empty({rows, head_width_}, rounded.values.options()),
                    at::empty({rows}, options), at::empty({rows}, options)};
  check(kernels_.make_heads(
      {rows, pointer<float>(coordinates), count, scale_, pointer<float>(rounded.squares),
       pointer<float>(rounded.slack), width, head_width_, pointer<uint16_t>(heads.values),
       pointer<float>(heads.squares), pointer<float>(heads.slack)},
      stream));
  return heads;
}

Search::Level Search::level_of(const RoundedRows& rows) const {
  const int64_t count = rows.values.size(0);
  return {rows.values,
          at::constant_pad_nd(rows.squares / -2, {0, padded(count, kTile) - count},
                              -std::numeric_limits<float>::infinity()),
          group_largest(rows.slack),
          // The square root, rounded up.
          group_largest(rows.squares).sqrt() * (1 + 0x1p-20)};
}

Neighbours Search::search(const at::Tensor& queries, const Monitor& monitor) const {
  const c10::DeviceGuard guard(bank_.device());
  const at::Tensor rows = queries.contiguous();
  const at::Tensor squares = at::empty({rows.size(0)}, rows.options());
  const at::Tensor nearest = at::empty({rows.size(0)}, rows.options().dtype(at::kLong));
  const int64_t held = whole_.values.size(1) + whole_.group_slack.size(0);
  const int64_t part = std::max<int64_t>(kTile, kPartValues / held);
  for (int64_t at = 0; at < rows.size(0); at += part) {
    monitor.check();
    search_part(rows.slice(0, at, at + part), squares.slice(0, at, at + part),
                nearest.slice(0, at, at + part));
  }
  return {squares.sqrt().unsqueeze(1), nearest.unsqueeze(1)};
}

void Search::search_part(const at::Tensor& queries, at::Tensor squares, at::Tensor nearest) const {
  const int64_t count = queries.size(0);
  if (!has_heads()) {
    compare(queries, round(queries, {count}), whole_, {count}, nullptr, squares, nearest);
    return;
  }
  const auto integers = queries.options().dtype(at::kInt);
  const Hard hard{at::empty({count}, integers), at::zeros({1}, integers)};
  compare(queries, heads_of(round(queries, {count})), heads_, {count}, &hard, squares, nearest);
  const Selection left{count, pointer<int32_t>(hard.list), pointer<int32_t>(hard.count)};
  compare(queries, round(queries, left), whole_, left, nullptr, squares, nearest);
}

void Search::compare(const at::Tensor& queries, const RoundedRows& rounded, const Level& level,
                     const Selection& selection, const Hard* hard, const at::Tensor& squares,
                     const at::Tensor& nearest) const {
  const Stream stream = current_stream(bank_.device());
  const int64_t width = level.values.size(1);
  const at::Tensor maxima =
      at::empty({selection.rows, level.group_slack.size(0)}, queries.options());
  check(kernels_.group_maxima(
      {selection, pointer<uint16_t>(rounded.values), pointer<uint16_t>(level.values), bank_.size(0),
       width, pointer<float>(level.offsets), pointer<float>(maxima)},
      stream));
  Walk walk{};
  walk.selection = selection;
  walk.queries = pointer<float>(queries);
  walk.bank = pointer<float>(bank_);
  walk.rows = bank_.size(0);
  walk.row_width = bank_.size(1);
  walk.query = {pointer<uint16_t>(rounded.values), pointer<float>(rounded.squares),
                pointer<float>(rounded.slack)};
  walk.bank_values = pointer<uint16_t>(level.values);
  walk.offsets = pointer<float>(level.offsets);
  walk.group_slack = pointer<float>(level.group_slack);
  walk.group_norms = pointer<float>(level.group_norms);
  walk.width = width;
  walk.maxima = pointer<float>(maxima);
  if (hard) {
    walk.budget = static_cast<int32_t>(std::max(kLeastBudget, bank_.size(0) / kRowsADistance));
    walk.hard = pointer<int32_t>(hard->list);
    walk.hard_count = pointer<int32_t>(hard->count);
  }
  walk.squares = pointer<float>(squares);
  walk.nearest = pointer<int64_t>(nearest);
  check(kernels_.walk(walk, stream));
}

}  // namespace patchcore::cuda
