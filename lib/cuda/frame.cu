// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in a GPU's memory: to the network's input, and pictures over them.
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

namespace patchcore::cuda {
namespace {

constexpr unsigned kThreads = 256;

__device__ inline unsigned mask_of(const Component& c) { return (1u << c.depth) - 1; }

__device__ inline uint8_t* sample_at(const Component& c, int64_t column, int64_t row) {
  return c.data + row * c.stride + column * c.step;
}

__device__ inline float load_sample(const Component& c, const uint8_t* at) {
  unsigned bits = at[0];
  if (c.bytes == 2) bits |= static_cast<unsigned>(at[1]) << 8;
  return static_cast<float>(bits >> c.shift & mask_of(c));
}

/// Bits that aren't the sample's own become 0.
__device__ inline void store_sample(const Component& c, float level, uint8_t* at) {
  const auto most = static_cast<float>(mask_of(c));
  level = level < 0 ? 0 : level > most ? most : level;
  const unsigned bits = static_cast<unsigned>(level + 0.5F) << c.shift;
  at[0] = static_cast<uint8_t>(bits);
  if (c.bytes == 2) at[1] = static_cast<uint8_t>(bits >> 8);
}

// ---- to the network's input -----------------------------------------------------------------------

/// The samples along one side that a pixel of the resized part is made of, and how much of each.
struct Window {
  int64_t first, last;
  float offset, inverse;
  float sum;  ///< of the weights

  __device__ Window(int64_t place, int64_t size, int64_t resized) {
    const double scale = static_cast<double>(size) / static_cast<double>(resized);
    const double support = scale > 1 ? scale : 1;
    const double centre = scale * (static_cast<double>(place) + 0.5);
    first = static_cast<int64_t>(centre - support + 0.5);
    first = first > 0 ? first : 0;
    last = static_cast<int64_t>(centre + support + 0.5);
    last = last < size ? last : size;
    offset = static_cast<float>(static_cast<double>(first) - centre + 0.5);
    inverse = static_cast<float>(1 / support);
    sum = 0;
    for (int64_t i = first; i < last; ++i) sum += weight(i);
  }

  __device__ float weight(int64_t i) const {
    const float distance = fabsf((static_cast<float>(i - first) + offset) * inverse);
    return distance < 1 ? 1 - distance : 0;
  }
};

/// Of a pixel of the resized part.
__device__ float resized_sample(const Component& c, const Resize& r, int64_t x, int64_t y) {
  const Window rows(y, c.rows, r.resized_height), columns(x, c.columns, r.resized_width);
  float sum = 0;
  for (int64_t i = rows.first; i < rows.last; ++i) {
    float row = 0;
    for (int64_t j = columns.first; j < columns.last; ++j)
      row = fmaf(columns.weight(j), load_sample(c, sample_at(c, j, i)), row);
    sum = fmaf(rows.weight(i), row, sum);
  }
  return sum / (rows.sum * columns.sum);
}

__device__ inline void put(const Resize& r, int64_t channel, float level, uint8_t& out) {
  (void)r, (void)channel;
  store(level, out);
}

__device__ inline void put(const Resize& r, int64_t channel, float level, float& out) {
  if (r.rounded) level = floorf(level + 0.5F);
  out = r.normalised ? normalised(level, r.mean[channel], r.deviation[channel]) : level;
}

/// A thread has a pixel of the input.
template <typename To>
__global__ void resize_kernel(Resize r) {
  const int64_t i = thread_of_grid();
  if (i >= r.out_width * r.out_height) return;
  float samples[3];
  for (int c = 0; c < 3; ++c)
    samples[c] = resized_sample(r.components[c], r, r.out_left + i % r.out_width,
                                r.out_top + i / r.out_width);
  auto* out = static_cast<To*>(r.out) + i * 3;
  for (int c = 0; c < 3; ++c) {
    float level = r.to_rgb[c][3];
    for (int j = 0; j < 3; ++j) level = fmaf(r.to_rgb[c][j], samples[j], level);
    put(r, c, level < 0 ? 0 : level > 255 ? 255 : level, out[c]);
  }
}

// ---- pictures over frames -------------------------------------------------------------------------

/// The middle of a sample along one side, in pixels.
__device__ inline double middle(int64_t sample, int32_t sub, int64_t size) {
  const int64_t begin = sample << sub, end = (sample + 1) << sub;
  return static_cast<double>(begin + (end < size ? end : size)) / 2;
}

/// Rows of chroma of an interlaced frame are of one field each, as are their pixels.
__device__ inline double middle_of_row(const Paint& p, int64_t row) {
  if (!p.interlaced || p.sub_y != 1) return middle(row, p.sub_y, p.height);
  const auto at = static_cast<double>(4 * (row / 2) + row % 2) + 1.5;
  const double last = static_cast<double>(p.height) - 0.5;
  return at < last ? at : last;
}

/// Two neighbours along a side of the picture, and the second's weight.
struct Neighbours {
  int64_t first, second;
  float share;

  __device__ Neighbours(double at, double begin, double extent, int64_t count) {
    double place = (at - begin) / extent * static_cast<double>(count) - 0.5;
    const auto last = static_cast<double>(count - 1);
    place = place < 0 ? 0 : place > last ? last : place;
    first = static_cast<int64_t>(place);
    second = first + 1 < count ? first + 1 : first;
    share = static_cast<float>(place - static_cast<double>(first));
  }
};

/// A thread has a sample of the frame.
__global__ void paint_kernel(Paint p) {
  const int64_t i = thread_of_grid();
  if (i >= p.columns * p.rows) return;
  const int64_t column = p.first_x + i % p.columns, row = p.first_y + i / p.columns;
  const double x = middle(column, p.sub_x, p.width), y = middle(row, p.sub_y, p.height);
  if (x < p.x || x >= p.x + p.w || y < p.y || y >= p.y + p.h) return;
  const Neighbours across(x, p.x, p.w, p.picture_width);
  const Neighbours down(middle_of_row(p, row), p.y, p.h, p.picture_height);
  float alpha = 0, level = 0;
  const auto add = [&](int64_t x, int64_t y, float weight) {
    const uint32_t pixel = p.pixels[y * p.picture_width + x];
    const float opacity = weight * (static_cast<float>(pixel >> 24) / 255);
    float value = p.weights[3];
    for (int c = 0; c < 3; ++c)
      value = fmaf(p.weights[c], static_cast<float>(pixel >> (16 - 8 * c) & 255), value);
    alpha += opacity;
    level = fmaf(opacity, value, level);
  };
  add(across.first, down.first, (1 - across.share) * (1 - down.share));
  add(across.second, down.first, across.share * (1 - down.share));
  add(across.first, down.second, (1 - across.share) * down.share);
  add(across.second, down.second, across.share * down.share);
  if (alpha == 0) return;
  uint8_t* at = sample_at(p.on, column, row);
  store_sample(p.on, fmaf(load_sample(p.on, at), 1 - alpha, level), at);
}

}  // namespace

const char* resize(const Resize& r, Stream stream) {
  const int64_t blocks = in_parts_of(r.out_width * r.out_height, kThreads);
  if (r.to == Type::Byte) return launch(resize_kernel<uint8_t>, blocks, kThreads, stream, r);
  if (r.to == Type::Float) return launch(resize_kernel<float>, blocks, kThreads, stream, r);
  return "the input is bytes or floats";
}

const char* paint(const Paint& p, Stream stream) {
  return launch(paint_kernel, in_parts_of(p.columns * p.rows, kThreads), kThreads, stream, p);
}

const char* copy(void* to, const void* from, int64_t bytes, Stream stream) {
  return copy_across(to, from, bytes, stream);
}

}  // namespace patchcore::cuda
