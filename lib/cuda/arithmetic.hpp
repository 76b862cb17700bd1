// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "cuda/kernels.hpp"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define PATCHCORE_BOTH __host__ __device__ inline
#else
#include <c10/util/Half.h>
#define PATCHCORE_BOTH inline
#endif

// What kernels do with one value or one row, the same on a GPU and in the CPU reference.
namespace patchcore::cuda {

template <typename To, typename From>
PATCHCORE_BOTH To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

PATCHCORE_BOTH bool is_nan(float value) { return !(value == value); }
PATCHCORE_BOTH float infinity() { return bits_as<float>(0x7f800000u); }

/// To the nearest, ties to even; what is no number stays none.
PATCHCORE_BOTH uint16_t to_bf16(float value) {
  const auto bits = bits_as<uint32_t>(value);
  if (is_nan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

PATCHCORE_BOTH float from_bf16(uint16_t value) {
  return bits_as<float>(static_cast<uint32_t>(value) << 16);
}

struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

PATCHCORE_BOTH float to_float(uint8_t value) { return value; }
PATCHCORE_BOTH float to_float(float value) { return value; }
PATCHCORE_BOTH float to_float(BFloat16 value) { return from_bf16(value.bits); }
PATCHCORE_BOTH float to_float(Float16 value) {
#ifdef __CUDACC__
  __half_raw raw;
  raw.x = value.bits;
  return __half2float(__half(raw));
#else
  return c10::Half(value.bits, c10::Half::from_bits());
#endif
}

/// Of 0..255, to the nearest.
PATCHCORE_BOTH void store(float value, uint8_t& out) { out = static_cast<uint8_t>(value + 0.5F); }
PATCHCORE_BOTH void store(float value, float& out) { out = value; }
PATCHCORE_BOTH void store(float value, BFloat16& out) { out.bits = to_bf16(value); }
PATCHCORE_BOTH void store(float value, Float16& out) {
#ifdef __CUDACC__
  out.bits = static_cast<__half_raw>(__float2half_rn(value)).x;
#else
  out.bits = c10::Half(value).x;
#endif
}

PATCHCORE_BOTH float normalised(float value, float mean, float deviation) {
  return (value / 255 - mean) / deviation;
}

/// Which rows (or columns) of a map, averaged over `patch` of them, a place of another grid is
/// made of, and how much of each: those around `near` and those around `far`.
struct Blend {
  int64_t near, far;
  float share;  ///< of far
  int64_t first, last;

  PATCHCORE_BOTH float weight(int64_t i, int64_t radius) const {
    const float of_near = i >= near - radius && i <= near + radius ? 1 - share : 0;
    const float of_far = i >= far - radius && i <= far + radius ? share : 0;
    return of_near + of_far;
  }
};

/// As ATen's upsample_bilinear2d and upsample_nearest2d find them.
PATCHCORE_BOTH Blend blend(int64_t place, int64_t size, int64_t out_size, int64_t radius,
                           bool bilinear) {
  Blend b{place, place, 0, 0, 0};
  if (size != out_size) {
    const float scale = static_cast<float>(size) / static_cast<float>(out_size);
    float source = static_cast<float>(place) * scale;
    if (bilinear) {
      source = (static_cast<float>(place) + 0.5F) * scale - 0.5F;
      source = source < 0 ? 0 : source;
    }
    b.near = static_cast<int64_t>(source);
    b.near = b.near < size - 1 ? b.near : size - 1;
    b.far = b.near;
    if (bilinear) {
      b.far = b.near < size - 1 ? b.near + 1 : b.near;
      b.share = source - static_cast<float>(b.near);
      b.share = b.share < 1 ? b.share : 1;
    }
  }
  b.first = b.near > radius ? b.near - radius : 0;
  b.last = b.far + radius < size - 1 ? b.far + radius : size - 1;
  return b;
}

/// What a head's coordinates can be off, in parts of the row's norm: sums of `width` products in
/// fp32, whatever their order, and truncated as tensor cores do.
PATCHCORE_BOTH float product_error(int64_t width) { return static_cast<float>(width) * 0x1p-22F; }

/// At least |row - mean - rounded|. moved: the sum of the squares of what rounding to bf16 did.
PATCHCORE_BOTH float rounding_slack(float square, float moved) {
  return sqrtf(moved) * (1 + 0x1p-10F) + sqrtf(square) * 0x1p-21F + 0x1p-60F;
}

/// How far a head's last coordinate, the norm of the rest, can be off.
PATCHCORE_BOTH float rest_error(float square, float rest, int64_t row_width) {
  const float error = square * (2 * product_error(row_width) + 0x1p-18F);
  const float least = sqrtf(error);
  return error > 0 ? error / (rest > least ? rest : least) : 0;
}

/// What a squared distance, summed in fp32 by 32 lanes, is at most computed too small, as a factor
/// on the distance.
PATCHCORE_BOTH float widened(float square, int64_t width) {
  return sqrtf(square) * (1 + static_cast<float>(width / 32 + 16) * 0x1p-24F);
}

/// Rounded rows whose product with a query, with the row's offset, is below this are farther than
/// `radius` from it: |q - m|^2 = |q|^2 - 2 (q m - |m|^2 / 2).
PATCHCORE_BOTH float limit(float query_square, float query_slack, float radius, float group_slack,
                           float group_norm, int64_t width) {
  const float reach = radius + query_slack + group_slack;
  const float product = (query_square - reach * reach) / 2;
  const float norm = sqrtf(query_square);
  const float rounding = product_error(width) * (norm + group_norm) * group_norm +
                         (query_square + reach * reach) * 0x1p-21F + 0x1p-100F;
  return product - rounding;
}

/// Orders rows as (value, then the lower row) does.
PATCHCORE_BOTH uint64_t largest_key(float value, int64_t row) {
  auto bits = bits_as<uint32_t>(value);
  bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(bits) << 32 | (0xffffffffu - static_cast<uint32_t>(row));
}

PATCHCORE_BOTH int64_t row_of(uint64_t key) { return 0xffffffffu - static_cast<uint32_t>(key); }

/// May the distance be below the minimum? head_square: the squared distance of two heads, or of
/// some coordinates of them; minimum: squared, -1: never.
PATCHCORE_BOTH bool is_open(float head_square, float minimum, float slack) {
  if (minimum < 0) return false;
  return sqrtf(head_square) * (1 - 0x1p-18F) - slack < sqrtf(minimum) * (1 + 0x1p-16F);
}

}  // namespace patchcore::cuda
