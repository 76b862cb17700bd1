// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "cuda/kernels.hpp"
#include "monitor.hpp"

namespace patchcore {
struct Neighbours;
}

namespace patchcore::cuda {

/// The exact nearest row on a GPU without most of the distances. Products of short heads in bf16
/// give a lower bound of each; what they leave is computed as the fp32 sum of (q - m)^2. Queries
/// that they leave too much of go on with products of whole rows in bf16. The host waits for
/// nothing. Immutable.
class Search {
 public:
  /// Of a head, at most: principal coordinates and the norm of the rest.
  static constexpr int64_t kHeadWidth = 128;

  /// bank: K x D float, contiguous, K below 2^31. head_width: a multiple of kStep; a bank that
  /// isn't wider has no heads. Throws Error(Cancelled).
  Search(at::Tensor bank, const Kernels& kernels, const Monitor& monitor = {},
         int64_t head_width = kHeadWidth);

  /// queries: Q x D float on the bank's device. Returns the nearest, ties to the lower row. A query
  /// that holds NaN has row 0 and a distance of NaN.
  Neighbours search(const at::Tensor& queries, const Monitor& monitor = {}) const;

 private:
  /// Rows rounded to bf16.
  struct RoundedRows {
    at::Tensor values;   ///< N x a multiple of kStep
    at::Tensor squares;  ///< N
    at::Tensor slack;    ///< N
  };

  /// What queries are compared with, short or whole.
  struct Level {
    at::Tensor values;
    at::Tensor offsets;      ///< K, padded to kTile: -|row|^2 / 2, and -infinity
    at::Tensor group_slack;  ///< groups
    at::Tensor group_norms;  ///< groups
  };

  /// Queries that short heads didn't do for.
  struct Hard {
    at::Tensor list;   ///< int32: room for all
    at::Tensor count;  ///< 1 int32
  };

  bool has_heads() const { return axes_.defined(); }
  RoundedRows round(const at::Tensor& rows, const Selection& selection) const;
  RoundedRows heads_of(const RoundedRows& rounded) const;
  Level level_of(const RoundedRows& rows) const;
  void find_axes(int64_t count, const Monitor& monitor);
  void search_part(const at::Tensor& queries, at::Tensor squares, at::Tensor nearest) const;
  void compare(const at::Tensor& queries, const RoundedRows& rounded, const Level& level,
               const Selection& selection, const Hard* hard, const at::Tensor& squares,
               const at::Tensor& nearest) const;

  at::Tensor bank_;
  const Kernels& kernels_;
  at::Tensor mean_;  ///< D
  at::Tensor axes_;  ///< count x a multiple of kStep, bf16; undefined: no heads
  float scale_ = 1;  ///< at least their largest singular value
  int64_t head_width_;
  Level heads_;
  Level whole_;
};

}  // namespace patchcore::cuda
