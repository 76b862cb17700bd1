// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <immintrin.h>

#include "vector_kernels.hpp"

namespace patchcore::kernels {
namespace {

/// What AVX-512 with and without products of bf16 share.
struct Avx512Vectors {
  using Vector = __m512;
  static constexpr int kLanes = 16, kVectors = 4;

  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  static float sum(Vector v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
  static uint32_t not_at_most(Vector v, float limit) {
    return _mm512_cmp_ps_mask(v, _mm512_set1_ps(limit), _CMP_NLE_UQ);
  }
};

}  // namespace
}  // namespace patchcore::kernels
