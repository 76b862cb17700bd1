// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "aligned_vector.hpp"
#include "monitor.hpp"

namespace patchcore {

/// Short forms of some rows in bf16, whose distances are lower bounds of the rows' own:
/// |head(x) - head(y)| <= |x - y| + slack(x) + slack(y).
struct Heads {
  int64_t width = 0;               ///< even
  AlignedVector<uint16_t> values;  ///< rows x width
  std::vector<float> squares;      ///< of each row: |head|^2
  std::vector<float> slack;        ///< of each row: what rounding can have moved it

  int64_t rows() const { return static_cast<int64_t>(squares.size()); }
  const uint16_t* row(int64_t i) const { return values.data() + i * width; }
};

/// Turns rows so that most of a distance shows in the first few coordinates. A head is a row's
/// first principal coordinates, and the norm of what these leave out as one more: by the reverse
/// triangle inequality the distance of two heads never exceeds that of their rows. Immutable.
class PrincipalHeads {
 public:
  /// rows: N x D float on the CPU, which the mean and the axes are taken from; any axes give right
  /// bounds, good ones close bounds. width: of the longest heads that will be asked for.
  PrincipalHeads(const at::Tensor& rows, int64_t width, const Monitor& monitor = {});

  /// rows: N x D float on the CPU. widths: each at most the constructor's, or D or more: whole
  /// rows, less the mean. Returns the heads of each width.
  std::vector<Heads> heads(const at::Tensor& rows, const std::vector<int64_t>& widths,
                           const Monitor& monitor = {}) const;

 private:
  at::Tensor mean_;  ///< D
  at::Tensor axes_;  ///< D x (width - 1), orthonormal columns, the first ones first
};

/// Heads in the order that kernels::Filter wants rows in.
struct PackedHeads {
  int64_t width = 0;
  AlignedVector<uint16_t> values;  ///< blocks x width / 2 x kBlockRows x 2
  AlignedVector<float> offsets;    ///< blocks x kBlockRows; -infinity behind the last row
  std::vector<float> slack;        ///< of each block: the largest of its rows
  std::vector<float> norms;        ///< of each block: the largest of its rows

  explicit PackedHeads(const Heads& heads = {});
  int64_t blocks() const { return static_cast<int64_t>(slack.size()); }
};

/// Some blocks of packed heads, which must outlive it.
struct Chunk {
  Chunk(const PackedHeads& heads, int64_t first_block, int64_t blocks);

  const uint16_t* rows;
  const float* offsets;
  int64_t blocks;
  int64_t first_row;
  float slack = 0;  ///< the largest of its rows
  float norm = 0;   ///< the largest of its rows
};

/// What the product of two heads, less half the other one's square, is above if the fp32 distance
/// of their rows is at most `radius`: whatever rounding did to the heads, the product and the
/// distance. slack, norm: of the other head, at most.
float limit(const Heads& queries, int64_t query, float radius, float slack, float norm);

/// The same for any row of a chunk.
inline float limit(const Heads& queries, int64_t query, float radius, const Chunk& chunk) {
  return limit(queries, query, radius, chunk.slack, chunk.norm);
}

}  // namespace patchcore
