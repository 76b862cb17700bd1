// SPDX-License-Identifier: LGPL-2.1-or-later
#include "principal_heads.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

/// Appends rounded rows.
class Rounding {
 public:
  explicit Rounding(Heads& heads) : heads_(heads) {}

  void add(float value, float error = 0) {
    const uint16_t rounded = to_bf16(value);
    heads_.values.push_back(rounded);
    const float kept = from_bf16(rounded);
    square_ += kept * kept;
    moved_ += (kept - value) * (kept - value) + error * error;
  }

  void end_row(float slack) {
    heads_.squares.push_back(square_);
    heads_.slack.push_back(std::sqrt(moved_) * (1 + 0x1p-10F) + slack);
    square_ = moved_ = 0;
  }

 private:
  Heads& heads_;
  float square_ = 0, moved_ = 0;
};

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

Heads PrincipalHeads::heads(const at::Tensor& rows, int64_t width, const Monitor& monitor) const {
  if (!axes_.defined() || width >= rows.size(1)) return whole(rows, monitor);
  Heads heads;
  const int64_t axes = width - 1;
  const at::Tensor matrix = axes_.slice(1, 0, axes);
  heads.width = width;
  heads.values.reserve(rows.size(0) * heads.width);
  Rounding rounding(heads);
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    const at::Tensor centred = part - mean_;
    const at::Tensor coordinates = at::matmul(centred, matrix);
    const at::Tensor squares = centred.square().sum(1);
    const float* values = coordinates.data_ptr<float>();
    for (int64_t i = 0; i < part.size(0); ++i, values += axes) {
      float inside = 0;
      for (int64_t j = 0; j < axes; ++j) {
        inside += values[j] * values[j];
        rounding.add(values[j]);
      }
      const float square = squares.data_ptr<float>()[i];
      const float error = square * kSquareError;
      const float rest = std::sqrt(std::max(square - inside, 0.0F));
      rounding.add(rest, error > 0 ? error / std::max(rest, std::sqrt(error)) : 0);
      rounding.end_row(std::sqrt(square) * kProductError);
    }
  }
  return heads;
}

Heads PrincipalHeads::whole(const at::Tensor& rows, const Monitor& monitor) const {
  Heads heads;
  const int64_t width = rows.size(1);
  heads.width = width + width % 2;
  heads.values.reserve(rows.size(0) * heads.width);
  Rounding rounding(heads);
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    const at::Tensor centred = part - mean_;
    const float* values = centred.const_data_ptr<float>();
    for (int64_t i = 0; i < part.size(0); ++i, values += width) {
      float square = 0;
      for (int64_t j = 0; j < width; ++j) {
        square += values[j] * values[j];
        rounding.add(values[j]);
      }
      if (width % 2) rounding.add(0);
      rounding.end_row(std::sqrt(square) * kProductError);
    }
  }
  return heads;
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
