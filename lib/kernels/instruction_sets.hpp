// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "kernels.hpp"

// What the files that are compiled for one instruction set each share. They may run on processors
// without it as little as their functions may be taken for those of another file, so all that they
// call is in their own unnamed namespace or always inlined.
namespace patchcore::kernels {

extern const Kernels kScalar;
extern const Kernels kAvx2;
extern const Kernels kAvx512;
extern const Kernels kAvx512Bf16;
extern const Kernels kAmx;

/// Of Kernels where products are sums of vectors.
constexpr int64_t kHeadWidth = 64, kDistanceCost = 64;

/// Value i of a difference goes into sum i % kDistanceLanes.
constexpr int64_t kDistanceLanes = 64;

/// The sums of all lanes: halves are added until one is left.
[[gnu::always_inline]] static inline float folded(float* sums) {
  for (int64_t half = kDistanceLanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

}  // namespace patchcore::kernels
