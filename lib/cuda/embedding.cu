// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 256;

/// A thread a patch and `kChannels` channels, which lie beside each other in memory where these
/// are more than one: neighbouring threads read and write neighbouring values.
template <typename Value, int kChannels>
__global__ void embed_kernel(Embed e) {
  struct alignas(sizeof(Value) * kChannels) Channels {
    Value values[kChannels];
  };
  const int64_t parts = e.channels / kChannels;
  const int64_t index = thread_of_grid();
  if (index >= e.images * e.out_height * e.out_width * parts) return;
  const int64_t row = index / parts;
  const int64_t channel = index % parts * kChannels;
  const int64_t image = row / (e.out_height * e.out_width);
  const int64_t radius = e.patch / 2;
  const Blend y =
      blend(row / e.out_width % e.out_height, e.height, e.out_height, radius, e.bilinear);
  const Blend x = blend(row % e.out_width, e.width, e.out_width, radius, e.bilinear);

  const Value* map =
      static_cast<const Value*>(e.map) + image * e.image_stride + channel * e.channel_stride;
  float sums[kChannels] = {};
  for (int64_t i = y.first; i <= y.last; ++i)
    for (int64_t j = x.first; j <= x.last; ++j) {
      const float weight = y.weight(i, radius) * x.weight(j, radius);
      const auto found =
          *reinterpret_cast<const Channels*>(map + i * e.row_stride + j * e.column_stride);
      for (int c = 0; c < kChannels; ++c)
        sums[c] = fmaf(weight, to_float(found.values[c]), sums[c]);
    }
  float* out = e.out + row * e.pitch + channel;
  for (int c = 0; c < kChannels; ++c) out[c] = sums[c] / static_cast<float>(e.patch * e.patch);
}

/// Are a map's channels packed, and each pixel's first where a vector may begin?
template <int kChannels>
bool is_aligned(const Embed& e, size_t value) {
  const bool strides = e.image_stride % kChannels == 0 && e.row_stride % kChannels == 0 &&
                       e.column_stride % kChannels == 0 && e.channels % kChannels == 0;
  return strides && e.channel_stride == 1 &&
         reinterpret_cast<uintptr_t>(e.map) % (value * kChannels) == 0;
}

template <typename Value>
const char* embed_from(const Embed& e, Stream stream) {
  constexpr int kAtOnce = 4;
  const bool aligned = is_aligned<kAtOnce>(e, sizeof(Value));
  const int64_t threads =
      e.images * e.out_height * e.out_width * (aligned ? e.channels / kAtOnce : e.channels);
  return launch(aligned ? embed_kernel<Value, kAtOnce> : embed_kernel<Value, 1>,
                in_parts_of(threads, kThreads), kThreads, stream, e);
}

}  // namespace

const char* embed(const Embed& e, Stream stream) {
  switch (e.type) {
    case Type::Float: return embed_from<float>(e, stream);
    case Type::Half: return embed_from<Float16>(e, stream);
    case Type::BFloat16: return embed_from<BFloat16>(e, stream);
    case Type::Byte: break;
  }
  return "feature maps can't be bytes";
}

}  // namespace patchcore::cuda
