// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace patchcore {

/// To the nearest, ties to even; what is no number stays none.
inline uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float from_bf16(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

}  // namespace patchcore
