// SPDX-License-Identifier: LGPL-2.1-or-later
#include "avx512_bf16_vectors.hpp"

namespace patchcore::kernels {
namespace {

struct Avx512Bf16 : Avx512Bf16Vectors {
  static constexpr int kQueries = 6;
};

}  // namespace

const Kernels kAvx512Bf16{
    Avx512Bf16::kQueries,         kHeadWidth,         kDistanceCost, filter<Avx512Bf16>,
    squared_distance<Avx512Bf16>, product<Avx512Bf16>};

}  // namespace patchcore::kernels
