// SPDX-License-Identifier: LGPL-2.1-or-later
#include <immintrin.h>

#include "vector_kernels.hpp"

namespace patchcore::kernels {
namespace {

struct Avx2 {
  using Vector = __m256;
  struct Pairs {
    Vector first, second;
  };
  static constexpr int kLanes = 8, kQueries = 4, kVectors = 2;

  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }

  static float sum(Vector v) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }

  static Pairs apart(__m256i v) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000U));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(v, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(v, upper))};
  }
  static Pairs pairs(const uint16_t* p) {
    return apart(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Pairs pair_of_all(const uint16_t* p) {
    return apart(_mm256_set1_epi32(static_cast<int>(p[0] | uint32_t{p[1]} << 16)));
  }
  static Vector add_products(Vector sums, const Pairs& a, const Pairs& b) {
    return _mm256_fmadd_ps(a.second, b.second, _mm256_fmadd_ps(a.first, b.first, sums));
  }
  static uint32_t not_at_most(Vector v, float limit) {
    return static_cast<uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps(limit), _CMP_NLE_UQ)));
  }
};

}  // namespace

const Kernels kAvx2{Avx2::kQueries,         kHeadWidth,   kDistanceCost, filter<Avx2>,
                    squared_distance<Avx2>, product<Avx2>};

}  // namespace patchcore::kernels
