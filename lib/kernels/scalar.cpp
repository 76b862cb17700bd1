// SPDX-License-Identifier: LGPL-2.1-or-later
#include <bit>

#include "instruction_sets.hpp"

namespace patchcore::kernels {
namespace {

constexpr int64_t kQueries = 4;

float from_bf16(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

void filter(const Filter& f, Candidates* candidates) {
  for (int64_t q = 0; q < kQueries; ++q) {
    const uint16_t* query = f.queries + q * f.width;
    Candidates& out = candidates[q];
    for (int64_t row = 0; row < f.blocks * kBlockRows; ++row) {
      const uint16_t* values = f.rows + row / kBlockRows * kBlockRows * f.width;
      float product = f.offsets[row];
      for (int64_t i = 0; i < f.width; ++i)
        product += from_bf16(query[i]) *
                   from_bf16(values[(i / 2 * kBlockRows + row % kBlockRows) * 2 + i % 2]);
      if (product <= f.limits[q]) continue;
      out.rows[out.count] = static_cast<int32_t>(row);
      out.products[out.count++] = product;
    }
  }
}

float squared_distance(const float* a, const float* b, int64_t n) {
  float sums[kDistanceLanes] = {};
  for (int64_t i = 0; i < n; ++i) {
    const float difference = a[i] - b[i];
    sums[i % kDistanceLanes] += difference * difference;
  }
  return folded(sums);
}

float product(const uint16_t* a, const uint16_t* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += from_bf16(a[i]) * from_bf16(b[i]);
  return sum;
}

}  // namespace

const Kernels kScalar{kQueries, kHeadWidth, kDistanceCost, filter, squared_distance, product};

}  // namespace patchcore::kernels
