// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "instruction_sets.hpp"

// The kernels in terms of vectors. `Simd` is a type in the unnamed namespace of the file that
// includes this, so that what is made of it is that file's own.
//   Vector            kLanes floats
//   Pairs             kLanes rows' two bf16 values, taken apart as far as products need it
//   load, store, zero, add, subtract, multiply, sum (of all lanes)
//   pairs(p)          of the 2 kLanes bf16 values at p
//   pair_of_all(p)    the two bf16 values at p in each lane
//   add_products(sums, a, b)
//   not_at_most(v, limit)  a bit a lane: is v above the limit, or no number
namespace patchcore::kernels {

/// Of the products of some rows, kVectors vectors from row `first` on, those above the limit.
template <typename Simd>
[[gnu::always_inline]] static inline void pass(const typename Simd::Vector* products, float limit,
                                               int64_t first, Candidates& candidates) {
  constexpr int kVectors = Simd::kVectors, kLanes = Simd::kLanes;
  uint64_t above = 0;
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    above |= uint64_t{Simd::not_at_most(products[v], limit)} << (v * kLanes);
  if (above == 0) return;
  float values[kVectors * kLanes];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) Simd::store(values + v * kLanes, products[v]);
  for (; above != 0; above &= above - 1) {
    const int row = __builtin_ctzll(above);
    candidates.rows[candidates.count] = static_cast<int32_t>(first + row);
    candidates.products[candidates.count++] = values[row];
  }
}

/// Simd::kQueries queries by Simd::kVectors vectors of rows: their sums stay in registers.
template <typename Simd>
[[gnu::always_inline]] static inline void filter_tile(const Filter& f, int64_t block, int64_t first,
                                                      Candidates* candidates) {
  using Vector = typename Simd::Vector;
  constexpr int kQueries = Simd::kQueries, kVectors = Simd::kVectors, kLanes = Simd::kLanes;
  const uint16_t* rows = f.rows + block * kBlockRows * f.width + 2 * first;
  const float* offsets = f.offsets + block * kBlockRows + first;

  Vector sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[q][v] = Simd::load(offsets + v * kLanes);
  for (int64_t i = 0; i < f.width; i += 2, rows += 2 * kBlockRows) {
    typename Simd::Pairs values[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) values[v] = Simd::pairs(rows + 2 * v * kLanes);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const auto query = Simd::pair_of_all(f.queries + q * f.width + i);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sums[q][v] = Simd::add_products(sums[q][v], query, values[v]);
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q)
    pass<Simd>(sums[q], f.limits[q], block * kBlockRows + first, candidates[q]);
}

template <typename Simd>
static void filter(const Filter& f, Candidates* candidates) {
  for (int64_t block = 0; block < f.blocks; ++block)
    for (int64_t first = 0; first < kBlockRows; first += Simd::kVectors * Simd::kLanes)
      filter_tile<Simd>(f, block, first, candidates);
}

template <typename Simd>
static float squared_distance(const float* a, const float* b, int64_t n) {
  using Vector = typename Simd::Vector;
  constexpr int kLanes = Simd::kLanes, kVectors = kDistanceLanes / kLanes;
  Vector sums[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) sums[v] = Simd::zero();
  const auto add = [&](const float* x, const float* y) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Vector d = Simd::subtract(Simd::load(x + v * kLanes), Simd::load(y + v * kLanes));
      sums[v] = Simd::add(sums[v], Simd::multiply(d, d));
    }
  };
  int64_t i = 0;
  for (; i + kDistanceLanes <= n; i += kDistanceLanes) add(a + i, b + i);
  if (i < n) {
    float x[kDistanceLanes] = {}, y[kDistanceLanes] = {};
    for (int64_t j = 0; i + j < n; ++j) x[j] = a[i + j], y[j] = b[i + j];
    add(x, y);
  }
  float lanes[kDistanceLanes];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) Simd::store(lanes + v * kLanes, sums[v]);
  return folded(lanes);
}

template <typename Simd>
static float product(const uint16_t* a, const uint16_t* b, int64_t n) {
  constexpr int kValues = 2 * Simd::kLanes, kSums = 2;
  typename Simd::Vector sums[kSums] = {Simd::zero(), Simd::zero()};
  const auto add = [&](int sum, const uint16_t* x, const uint16_t* y)
      __attribute__((always_inline)) {
    sums[sum] = Simd::add_products(sums[sum], Simd::pairs(x), Simd::pairs(y));
  };
  int64_t i = 0;
  for (; i + kSums * kValues <= n; i += kSums * kValues)
#pragma GCC unroll 2
    for (int sum = 0; sum < kSums; ++sum) add(sum, a + i + sum * kValues, b + i + sum * kValues);
  for (; i < n; i += kValues) {
    uint16_t x[kValues] = {}, y[kValues] = {};
    for (int64_t j = 0; j < kValues && i + j < n; ++j) x[j] = a[i + j], y[j] = b[i + j];
    add(0, x, y);
  }
  return Simd::sum(Simd::add(sums[0], sums[1]));
}

}  // namespace patchcore::kernels
