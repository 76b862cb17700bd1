// SPDX-License-Identifier: LGPL-2.1-or-later
#include "avx512_vectors.hpp"

namespace patchcore::kernels {
namespace {

struct Avx512Bf16 : Avx512Vectors {
  using Pairs = __m512bh;
  static constexpr int kQueries = 6;

  static Pairs pairs(const uint16_t* p) { return reinterpret_cast<Pairs>(_mm512_loadu_si512(p)); }
  static Pairs pair_of_all(const uint16_t* p) {
    return reinterpret_cast<Pairs>(
        _mm512_set1_epi32(static_cast<int>(p[0] | uint32_t{p[1]} << 16)));
  }
  static Vector add_products(Vector sums, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sums, a, b); }
};

}  // namespace

const Kernels kAvx512Bf16{Avx512Bf16::kQueries, filter<Avx512Bf16>, squared_distance<Avx512Bf16>,
                          product<Avx512Bf16>};

}  // namespace patchcore::kernels
