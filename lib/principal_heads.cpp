// SPDX-License-Identifier: LGPL-2.1-or-later
#include "principal_heads.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "bf16.hpp"
#include "blocks.hpp"
#include "kernels/kernels.hpp"
#include "principal_axes.hpp"

namespace patchcore {
namespace {

// In parts of a row's norm: what fp32 products with the axes, and the axes themselves, can be off.
constexpr float kProductError = 0x1p-15F;
// In parts of its square: what the difference of two sums of squares can be off.
constexpr float kSquareError = 0x1p-20F;

/// Rounded values of one row, and what became of them.
struct Rounded {
  float square = 0;  ///< of what they are now: the sum of squares
  float moved = 0;   ///< the sum of squares of what rounding did to them

  /// Some more values, of which each may be off by `error`.
  void add(const float* values, int64_t count, uint16_t* out, float error = 0) {
    constexpr int64_t kLanes = 8;  // that the compiler can work on at once
    float squares[kLanes] = {}, moves[kLanes] = {};
    const auto round = [&](int64_t i, int64_t lane) {
      out[i] = to_bf16(values[i]);
      const float kept = from_bf16(out[i]), by = kept - values[i];
      squares[lane] += kept * kept;
      moves[lane] += by * by + error * error;
    };
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) round(i + lane, lane);
    for (; i < count; ++i) round(i, 0);
    square += std::accumulate(squares, squares + kLanes, 0.0F);
    moved += std::accumulate(moves, moves + kLanes, 0.0F);
  }

  void end(Heads& heads, float slack) const {
    heads.squares.push_back(square);
    heads.slack.push_back(std::sqrt(moved) * (1 + 0x1p-10F) + slack);
  }
};

Heads room(int64_t rows, int64_t width) {
  Heads heads;
  heads.width = width;
  heads.values.resize(rows * width);
  heads.squares.reserve(rows);
  heads.slack.reserve(rows);
  return heads;
}

/// Appends the head of a row that has such coordinates and such a square.
void append(Heads& heads, const float* coordinates, float square) {
  const int64_t axes = heads.width - 1;
  uint16_t* out = heads.values.data() + heads.rows() * heads.width;
  double inside = 0;
  for (int64_t i = 0; i < axes; ++i) inside += double{coordinates[i]} * coordinates[i];
  const float error = square * kSquareError;
  const auto rest = static_cast<float>(std::sqrt(std::max(square - inside, 0.0)));
  Rounded rounded;
  rounded.add(coordinates, axes, out);
  rounded.add(&rest, 1, out + axes, error > 0 ? error / std::max(rest, std::sqrt(error)) : 0);
  rounded.end(heads, std::sqrt(square) * kProductError);
}

/// Appends a whole row, with a zero behind it where it is of odd width.
void append_whole(Heads& heads, const float* values, int64_t width, float square) {
  Rounded rounded;
  rounded.add(values, width, heads.values.data() + heads.rows() * heads.width);
  rounded.end(heads, std::sqrt(square) * kProductError);
}

float largest(const std::vector<float>& values, int64_t block) {
  const auto first = values.begin() + block * kernels::kBlockRows;
  const auto last =
      values.end() - first > kernels::kBlockRows ? first + kernels::kBlockRows : values.end();
  return *std::max_element(first, last);
}

}  // namespace

PrincipalHeads::PrincipalHeads(const at::Tensor& rows, int64_t width, const Monitor& monitor)
    : mean_(at::zeros({rows.size(1)})) {
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    mean_ += part.sum(0);
  }
  mean_ /= static_cast<double>(rows.size(0));
  const int64_t axes = std::min(width, rows.size(1)) - 1;
  if (axes < 1) return;
  // Of squares that overflow nothing is left as the norm of a rest.
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    if (!(part - mean_).square().sum().isfinite().item<bool>()) return;
  }
  axes_ = principal_axes(rows, axes, monitor).to(at::kFloat).contiguous();
}

std::vector<Heads> PrincipalHeads::heads(const at::Tensor& rows, const std::vector<int64_t>& widths,
                                         const Monitor& monitor) const {
  const int64_t width = rows.size(1);
  const auto is_whole = [&](int64_t w) { return !axes_.defined() || w >= width; };
  std::vector<Heads> all;
  int64_t axes = 0;
  for (const int64_t w : widths) {
    all.push_back(room(rows.size(0), is_whole(w) ? width + width % 2 : w));
    if (!is_whole(w)) axes = std::max(axes, w - 1);
  }
  const at::Tensor matrix = axes > 0 ? axes_.slice(1, 0, axes) : at::Tensor();
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    const at::Tensor centred = part - mean_, squares = centred.square().sum(1);
    const at::Tensor coordinates = axes > 0 ? at::matmul(centred, matrix) : at::empty({0});
    for (int64_t i = 0; i < part.size(0); ++i) {
      const float square = squares.const_data_ptr<float>()[i];
      for (size_t j = 0; j < widths.size(); ++j)
        if (is_whole(widths[j]))
          append_whole(all[j], centred.const_data_ptr<float>() + i * width, width, square);
        else
          append(all[j], coordinates.const_data_ptr<float>() + i * axes, square);
    }
  }
  return all;
}

PackedHeads::PackedHeads(const Heads& heads) : width(heads.width) {
  using kernels::kBlockRows;
  const int64_t rows = heads.rows(), count = (rows + kBlockRows - 1) / kBlockRows;
  values.resize(count * kBlockRows * width);
  offsets.resize(count * kBlockRows, -std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < rows; ++i) {
    // Products with what overflows say nothing: no number is never ruled out.
    offsets[i] = std::isfinite(heads.squares[i]) ? heads.squares[i] / -2
                                                 : std::numeric_limits<float>::quiet_NaN();
    uint16_t* out = values.data() + i / kBlockRows * kBlockRows * width + i % kBlockRows * 2;
    for (int64_t j = 0; j < width; j += 2, out += 2 * kBlockRows)
      std::copy_n(heads.row(i) + j, 2, out);
  }
  for (int64_t block = 0; block < count; ++block) {
    slack.push_back(largest(heads.slack, block));
    norms.push_back(std::sqrt(largest(heads.squares, block)));
  }
}

Chunk::Chunk(const PackedHeads& heads, int64_t first_block, int64_t blocks)
    : rows(heads.values.data() + first_block * kernels::kBlockRows * heads.width),
      offsets(heads.offsets.data() + first_block * kernels::kBlockRows),
      blocks(blocks),
      first_row(first_block * kernels::kBlockRows) {
  for (int64_t block = first_block; block < first_block + blocks; ++block) {
    slack = std::max(slack, heads.slack[block]);
    norm = std::max(norm, heads.norms[block]);
  }
}

float limit(const Heads& queries, int64_t query, float radius, float slack, float norm) {
  const double square = queries.squares[query];
  const double reach = double{radius} + double{queries.slack[query]} + double{slack};
  const double product = (square - reach * reach) / 2;
  const double norms = (std::sqrt(square) + double{norm}) * double{norm};
  const double rounding = static_cast<double>(queries.width) * 0x1p-23 * norms +
                          (square + reach * reach) * 0x1p-22 + 0x1p-110;
  return std::isfinite(product) ? static_cast<float>(product - rounding)
                                : -std::numeric_limits<float>::infinity();
}

}  // namespace patchcore
