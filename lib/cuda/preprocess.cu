// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kAtOnce = 4;  // values a thread, a block's width apart

__device__ inline float of_channel(const float (&values)[3], int64_t channel) {
  return channel == 0 ? values[0] : channel == 1 ? values[1] : values[2];
}

template <typename From, typename To>
__global__ void normalise_kernel(Normalise n) {
  const auto* from = static_cast<const From*>(n.rgb);
  auto* to = static_cast<To*>(n.out);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads * kAtOnce + threadIdx.x;
  for (int64_t i = first; i < first + kAtOnce * kThreads && i < n.values; i += kThreads)
    store(normalised(to_float(from[i]), of_channel(n.mean, i % 3), of_channel(n.deviation, i % 3)),
          to[i]);
}

template <typename From>
const char* normalise_from(const Normalise& n, Stream stream) {
  const int64_t blocks = in_parts_of(n.values, kThreads * kAtOnce);
  switch (n.to) {
    case Type::Float: return launch(normalise_kernel<From, float>, blocks, kThreads, stream, n);
    case Type::Half: return launch(normalise_kernel<From, Float16>, blocks, kThreads, stream, n);
    case Type::BFloat16:
      return launch(normalise_kernel<From, BFloat16>, blocks, kThreads, stream, n);
    case Type::Byte: break;
  }
  return "normalised values can't be bytes";
}

}  // namespace

const char* normalise(const Normalise& n, Stream stream) {
  if (n.from == Type::Byte) return normalise_from<uint8_t>(n, stream);
  if (n.from == Type::Float) return normalise_from<float>(n, stream);
  return "frames are bytes or floats";
}

}  // namespace patchcore::cuda
