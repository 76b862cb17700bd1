// SPDX-License-Identifier: LGPL-2.1-or-later
#include "avx512_vectors.hpp"

namespace patchcore::kernels {
namespace {

struct Avx512 : Avx512Vectors {
  struct Pairs {
    Vector first, second;
  };
  static constexpr int kQueries = 4;

  static Pairs apart(__m512i v) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000U));
    constexpr __mmask16 kAll = 0xffff;  // GCC 12 warns of what the form without a mask leaves open
    return {_mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, v, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(v, upper))};
  }
  static Pairs pairs(const uint16_t* p) { return apart(_mm512_loadu_si512(p)); }
  static Pairs pair_of_all(const uint16_t* p) {
    return apart(_mm512_set1_epi32(static_cast<int>(p[0] | uint32_t{p[1]} << 16)));
  }
  static Vector add_products(Vector sums, const Pairs& a, const Pairs& b) {
    return _mm512_fmadd_ps(a.second, b.second, _mm512_fmadd_ps(a.first, b.first, sums));
  }
};

}  // namespace

const Kernels kAvx512{Avx512::kQueries,         kHeadWidth,     kDistanceCost, filter<Avx512>,
                      squared_distance<Avx512>, product<Avx512>};

}  // namespace patchcore::kernels
