// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kWarps = kThreads / kWarp;  // a query each
static_assert(kGroup == kWarp, "a lane has a row of a group");

/// The product of a query's and a row's rounded values, by one lane; what is no number is infinite,
/// as it can't rule out anything.
__device__ float product(const uint16_t* a, const uint16_t* b, int64_t width) {
  struct alignas(16) Chunk {
    uint16_t values[8];
  };
  float sum = 0;
  for (int64_t i = 0; i < width; i += 8) {
    const Chunk x = *reinterpret_cast<const Chunk*>(a + i);
    const Chunk y = *reinterpret_cast<const Chunk*>(b + i);
    for (int j = 0; j < 8; ++j) sum = fmaf(from_bf16(x.values[j]), from_bf16(y.values[j]), sum);
  }
  return sum;
}

/// A warp's query on its way through the groups. All lanes have the same in all members.
class Walker {
 public:
  __device__ Walker(const Walk& w, int64_t place)
      : w_(w),
        place_(place),
        query_(w.selection.list ? w.selection.list[place] : place),
        groups_((w.rows + kGroup - 1) / kGroup),
        maxima_(w.maxima + place * groups_) {
    if (!w.selection.list) return;
    square_ = w.squares[query_];
    nearest_ = w.nearest[query_];
    radius_ = widened(square_, w.row_width);
  }

  /// The row of the largest product is most likely near: others are ruled out by it.
  __device__ void begin() {
    uint64_t best = 0;
    for (int64_t group = lane(); group < groups_; group += kWarp) {
      const uint64_t key = largest_key(maxima_[group], group);
      best = key > best ? key : best;
    }
    const int64_t first = row_of(warp_largest(best)) * kGroup;
    const int64_t row = first + lane();
    const uint64_t key = row < w_.rows ? largest_key(product_with(row), row) : 0;
    seed_ = row_of(warp_largest(key));
    compute(seed_);
  }

  /// Returns whether all that could be nearer has been computed.
  __device__ bool visit_groups() {
    if (is_nan(square_)) {  // the query is, and so are all its distances
      nearest_ = 0;
      return true;
    }
    for (int64_t first = 0; first < groups_; first += kWarp) {
      const int64_t group = first + lane();
      unsigned open = __ballot_sync(kAllLanes, group < groups_ && may_hold(group, maxima_[group]));
      for (; open; open &= open - 1) {
        if (!visit(first + __ffs(static_cast<int>(open)) - 1)) return false;
      }
    }
    return true;
  }

  __device__ void end(bool complete) const {
    if (lane() != 0) return;
    w_.squares[query_] = square_;
    w_.nearest[query_] = nearest_;
    if (!complete) w_.hard[atomicAdd(w_.hard_count, 1)] = static_cast<int32_t>(query_);
  }

 private:
  __device__ bool may_hold(int64_t group, float largest) const {
    return !(largest < limit(w_.query.squares[place_], w_.query.slack[place_], radius_,
                             w_.group_slack[group], w_.group_norms[group], w_.width));
  }

  __device__ float product_with(int64_t row) const {
    const float found =
        product(w_.query.values + place_ * w_.width, w_.bank_values + row * w_.width, w_.width) +
        w_.offsets[row];
    return is_nan(found) ? infinity() : found;
  }

  /// Computes those rows that may be nearer; not if the budget is used up.
  __device__ bool visit(int64_t group) {
    const int64_t row = group * kGroup + lane();
    const float mine = row < w_.rows ? product_with(row) : 0;
    const bool wanted = row < w_.rows && row != seed_ && may_hold(group, mine);
    for (unsigned open = __ballot_sync(kAllLanes, wanted); open; open &= open - 1) {
      if (w_.budget > 0 && computed_ >= w_.budget) return false;
      const int next = __ffs(static_cast<int>(open)) - 1;
      // What has been computed since may rule it out.
      if (!may_hold(group, __shfl_sync(kAllLanes, mine, next))) continue;
      compute(group * kGroup + next);
    }
    return true;
  }

  __device__ void compute(int64_t row) {
    const float square = squared_distance(w_.queries + query_ * w_.row_width,
                                          w_.bank + row * w_.row_width, w_.row_width);
    ++computed_;
    if (nearest_ >= 0 && !(square < square_ || (square == square_ && row < nearest_))) return;
    square_ = square;
    nearest_ = row;
    radius_ = widened(square, w_.row_width);
  }

  const Walk& w_;
  int64_t place_;  ///< in the selection
  int64_t query_;
  int64_t groups_;
  const float* maxima_;
  float square_ = 0;
  float radius_ = 0;
  int64_t nearest_ = -1;
  int64_t seed_ = -1;
  int32_t computed_ = 0;
};

__global__ void walk_kernel(Walk w) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kWarps + warp();
  if (place >= selected(w.selection)) return;  // the whole warp
  Walker walker(w, place);
  walker.begin();
  walker.end(walker.visit_groups());
}

}  // namespace

const char* walk(const Walk& w, Stream stream) {
  return launch(walk_kernel, in_parts_of(w.selection.rows, kWarps), kThreads, stream, w);
}

}  // namespace patchcore::cuda
