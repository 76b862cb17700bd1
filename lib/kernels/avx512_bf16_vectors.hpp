// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "avx512_vectors.hpp"

namespace patchcore::kernels {
namespace {

/// With products of bf16.
struct Avx512Bf16Vectors : Avx512Vectors {
  using Pairs = __m512bh;

  static Pairs pairs(const uint16_t* p) { return reinterpret_cast<Pairs>(_mm512_loadu_si512(p)); }
  static Pairs pair_of_all(const uint16_t* p) {
    return reinterpret_cast<Pairs>(
        _mm512_set1_epi32(static_cast<int>(p[0] | uint32_t{p[1]} << 16)));
  }
  static Vector add_products(Vector sums, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sums, a, b); }
};

}  // namespace
}  // namespace patchcore::kernels
