// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sampled_image.hpp"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "error.hpp"

namespace patchcore {
namespace {

// ATen resizes four channels with vector instructions, in a quarter of the time of one.
constexpr int64_t kChannels = 4;

bool can_be(const Samples& s) {
  return s.data && s.columns >= 1 && s.rows >= 1 && s.step >= 1 && (s.bytes == 1 || s.bytes == 2) &&
         s.depth >= 1 && s.shift >= 0 && s.shift <= 16 && s.depth <= 8 * s.bytes - s.shift;
}

at::Tensor resize(const at::Tensor& pixels, int64_t height, int64_t width) {
  return at::_upsample_bilinear2d_aa(pixels, {height, width}, /*align_corners=*/false);
}

/// Rows of bytes that hold a component, and those that lie among its samples.
struct ByteRows {
  const uint8_t* data;
  int64_t bytes;  ///< of a row

  bool operator==(const ByteRows&) const = default;

  explicit ByteRows(const Samples& s) : data(s.data), bytes(int64_t{s.columns - 1} * s.step + 1) {}
  ByteRows() = default;

  static ByteRows of(const SampledImage& image, size_t component) {
    const Samples& own = image.components[component];
    ByteRows all(own);
    for (const Samples& other : image.components)
      if (other.stride == own.stride && other.rows == own.rows) all.join(ByteRows(other));
    return all;
  }

 private:
  /// Where the others lie among these.
  void join(const ByteRows& others) {
    const std::less<> before;
    if (!before(data, others.data + others.bytes) || !before(others.data, data + bytes)) return;
    const uint8_t *begin = std::min(data, others.data, before),
                  *end = std::max(data + bytes, others.data + others.bytes, before);
    data = begin;
    bytes = end - begin;
  }
};

/// Brings rows to another height, where all bytes of a row go the same way: height x their number,
/// rounded up.
at::Tensor resize_down(const ByteRows& rows, const Samples& like, int64_t height) {
  const int64_t width = (rows.bytes + kChannels - 1) / kChannels * kChannels;
  const std::vector<int64_t> shape{1, like.rows, width / kChannels, kChannels};
  at::Tensor packed;
  if (like.stride == width && rows.bytes == width) {
    // ATen reads, and never writes, what from_blob wraps.
    packed = at::from_blob(const_cast<uint8_t*>(rows.data), shape, at::kByte);
  } else {
    packed = at::empty(shape, at::kByte);  // what fills up a row stays beside the samples
    for (int64_t y = 0; y < like.rows; ++y)
      std::memcpy(packed.data_ptr<uint8_t>() + y * width, rows.data + y * like.stride,
                  static_cast<size_t>(rows.bytes));
  }
  return resize(packed.permute({0, 3, 1, 2}), height, width / kChannels)
      .permute({0, 2, 3, 1})
      .reshape({height, width});
}

/// A component in such rows: height x columns.
at::Tensor samples_in(const at::Tensor& rows, const ByteRows& like, const Samples& samples) {
  return rows.as_strided({rows.size(0), samples.columns}, {rows.size(1), samples.step},
                         samples.data - like.data);
}

/// Along the rows, which don't know of each other: a quarter of them each pass for a channel.
at::Tensor resize_along(const at::Tensor& rows, int64_t width) {
  const int64_t height = rows.size(0), channels = height % kChannels == 0 ? kChannels : 1;
  return resize(rows.contiguous().view({1, channels, height / channels, rows.size(1)}),
                height / channels, width)
      .contiguous()
      .view({height, width});
}

float level_at(const Samples& s, const uint8_t* at) {
  const int bits = s.bytes == 2 ? at[0] | at[1] << 8 : at[0];
  return static_cast<float>(bits >> s.shift & ((1 << s.depth) - 1));
}

at::Tensor resize_floats(const Samples& samples, Size size) {
  const at::Tensor levels = at::empty({1, 1, samples.rows, samples.columns}, at::kFloat);
  auto* level = levels.data_ptr<float>();
  for (int64_t y = 0; y < samples.rows; ++y) {
    const uint8_t* at = samples.data + y * samples.stride;
    for (int64_t x = 0; x < samples.columns; ++x, at += samples.step)
      *level++ = level_at(samples, at);
  }
  return resize(levels, size.height, size.width).view({size.height, size.width});
}

bool is_byte(const Samples& samples) { return samples.depth == 8 && samples.bytes == 1; }

float rounded(float level, float) { return level; }
uint8_t rounded(float level, uint8_t) { return static_cast<uint8_t>(level + 0.5F); }

template <typename From, typename Value>
void convert(const std::array<std::array<float, 4>, 3>& to_rgb,
             const std::array<at::Tensor, 3>& from, int64_t begin, int64_t count, Value* rgb) {
  const From* samples[3];
  for (size_t c = 0; c < 3; ++c) samples[c] = from[c].const_data_ptr<From>() + begin;
  for (int64_t i = 0; i < count; ++i)
    for (const auto& [first, second, third, offset] : to_rgb)
      *rgb++ = rounded(std::clamp(first * static_cast<float>(samples[0][i]) +
                                      second * static_cast<float>(samples[1][i]) +
                                      third * static_cast<float>(samples[2][i]) + offset,
                                  0.0F, 255.0F),
                       Value{});
}

}  // namespace

void check_samples(const Samples& samples) {
  if (!can_be(samples))
    throw Error(ErrorCode::InvalidArgument, "A frame's samples can't lie as they are said to.");
}

void check_samples(const SampledImage& image) {
  for (const Samples& samples : image.components) check_samples(samples);
}

std::array<at::Tensor, 3> resized_components(const SampledImage& image, Size size, bool rounded) {
  check_samples(image);
  const auto& all = image.components;
  const bool bytes = rounded && std::all_of(all.begin(), all.end(), is_byte);
  std::array<at::Tensor, 3> components, down;
  std::array<ByteRows, 3> rows{};
  for (size_t c = 0; c < 3; ++c) {
    const auto same = static_cast<size_t>(std::find(all.begin(), all.end(), all[c]) - all.begin());
    if (same < c) {  // a grey frame's
      components[c] = components[same];
    } else if (!bytes) {
      components[c] = resize_floats(all[c], size);
    } else {
      rows[c] = ByteRows::of(image, c);
      const auto before =
          static_cast<size_t>(std::find(rows.begin(), rows.end(), rows[c]) - rows.begin());
      down[c] = before < c ? down[before] : resize_down(rows[c], all[c], size.height);
      components[c] = resize_along(samples_in(down[c], rows[c], all[c]), size.width);
    }
  }
  return components;
}

template <typename Value>
void convert_to_rgb(const std::array<std::array<float, 4>, 3>& to_rgb,
                    const std::array<at::Tensor, 3>& from, int64_t first, int64_t count,
                    Value* rgb) {
  from[0].scalar_type() == at::kByte ? convert<uint8_t>(to_rgb, from, first, count, rgb)
                                     : convert<float>(to_rgb, from, first, count, rgb);
}

template void convert_to_rgb(const std::array<std::array<float, 4>, 3>&,
                             const std::array<at::Tensor, 3>&, int64_t, int64_t, uint8_t*);
template void convert_to_rgb(const std::array<std::array<float, 4>, 3>&,
                             const std::array<at::Tensor, 3>&, int64_t, int64_t, float*);

}  // namespace patchcore
