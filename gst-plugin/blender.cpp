// SPDX-License-Identifier: LGPL-2.1-or-later
// The way of a picture onto a plane: a row's pixels become premultiplied samples of each of the
// plane's components, these are stretched to the frame's width and put where the component has its
// bytes, and each of the frame's rows is mixed with two such rows, byte by byte, whatever they
// mean. Bytes that belong to no component have an alpha of 0.
#include "blender.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "colorimetry.hpp"
#include "samples.hpp"

// The loops, once more for AVX2, chosen between when the plugin is loaded.
#if defined(__x86_64__) && defined(__GLIBC__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace gstpatchcore {
namespace {

/// Two neighbours out of a row of pixels, and how much the second weighs.
struct Between {
  guint first, second;
  guint weight;  ///< of 256
};

/// at: in the frame; the `count` pixels fill `extent` of it from `begin` on.
Between between(gdouble at, gdouble begin, gdouble extent, guint count) {
  const gdouble place = std::clamp((at - begin) / extent * count - 0.5, 0.0, count - 1.0);
  const auto first = static_cast<guint>(place);
  return {first, std::min(first + 1, count - 1), static_cast<guint>((place - first) * 256 + 0.5)};
}

/// The samples of a component along one side of the frame, each of 2^sub pixels; the last may have
/// fewer.
struct Axis {
  guint size, sub;

  guint count() const { return (size + (1u << sub) - 1) >> sub; }
  gdouble middle(guint sample) const {
    return (static_cast<gdouble>(sample << sub) + std::min((sample + 1) << sub, size)) / 2;
  }
  /// Those whose middle lies in begin to begin + extent.
  std::pair<guint, guint> within(gdouble begin, gdouble extent) const {
    const auto reaches = [&](gdouble from) {
      guint sample = static_cast<guint>(std::clamp(from, 0.0, gdouble(size))) >> sub;
      while (sample < count() && middle(sample) < from) ++sample;
      return sample;
    };
    return {reaches(begin), reaches(begin + extent)};
  }
};

/// What a component is of red, green and blue, in 65536ths.
struct FixedWeights {
  gint r, g, b, offset;

  explicit FixedWeights(const Weights& w)
      : r(fixed(w[0])), g(fixed(w[1])), b(fixed(w[2])), offset(fixed(w[3])) {}

  static gint fixed(gdouble value) { return static_cast<gint>(std::lround(value * 65536)); }
};

/// A component of a plane, as far as a picture lies over it.
struct Channel {
  Channel(const GstVideoInfo& info, guint component, guint picture_width, const Rectangle& where)
      : weights(weights_of(info, component)),
        offset(offset_of(info.finfo, component)),
        step(static_cast<guint>(info.finfo->pixel_stride[component])) {
    const Axis axis{static_cast<guint>(info.width), info.finfo->w_sub[component]};
    std::tie(begin, end) = axis.within(where.x, where.w);
    for (guint sample = begin; sample < end; ++sample) {
      const Between b = between(axis.middle(sample), where.x, where.w, picture_width);
      first.push_back(b.first);
      second.push_back(b.second);
      weight.push_back(b.weight);
    }
  }

  guint byte(guint sample) const { return offset + sample * step; }

  FixedWeights weights;
  guint offset, step;  ///< in a row: where its first sample is, and from one to the next
  guint begin, end;    ///< samples

  // Of each of the samples, see Between.
  std::vector<guint32> first, second, weight;
};

constexpr guint div255(guint value) { return (value + 128 + ((value + 128) >> 8)) >> 8; }

/// Premultiplied samples of a component, their alpha above: 16 bits each.
void premultiply(const guint32* pixels, guint count, const FixedWeights& w, guint32* samples) {
  for (guint i = 0; i < count; ++i) {
    const guint32 p = pixels[i];
    const auto r = static_cast<gint>(p >> 16 & 255), g = static_cast<gint>(p >> 8 & 255),
               b = static_cast<gint>(p & 255);
    const gint value = (w.r * r + w.g * g + w.b * b + w.offset + 32768) >> 16;
    const guint alpha = p >> 24, level = static_cast<guint>(std::clamp(value, 0, 255));
    samples[i] = div255(level * alpha) | alpha << 16;
  }
}

/// A picture's row as one plane has it.
struct Layer {
  std::vector<guint16> bytes;  ///< of each byte of the plane's row the premultiplied level, and
                               ///< above it the alpha
  bool shows = false;          ///< some alpha isn't 0
  gint row = -1;               ///< of the picture
};

/// Samples between their neighbours in a picture's row. out: at intervals of `step`.
FOR_EACH_PROCESSOR void stretch(const guint32* row, const Channel& channel, guint16* out) {
  const guint32 *first = channel.first.data(), *second = channel.second.data(),
                *weight = channel.weight.data();
  const size_t count = channel.first.size();
  // Level and alpha at once: neither can reach the other.
  const auto mixed = [&](size_t i) {
    const guint32 sum = row[first[i]] * (256 - weight[i]) + row[second[i]] * weight[i] + 0x00800080;
    return static_cast<guint16>((sum >> 8 & 255) | (sum >> 16 & 0xff00));
  };
  if (channel.step == 1)
    for (size_t i = 0; i < count; ++i) out[i] = mixed(i);
  else
    for (size_t i = 0; i < count; ++i) out[i * channel.step] = mixed(i);
}

/// A row of the frame under what lies between two layers; sums of 16 bits, for compilers to make
/// vectors of. weight: of `below`, of 256.
FOR_EACH_PROCESSOR void mix(guint8* frame, const guint16* above, const guint16* below,
                            guint16 weight, guint count) {
  const auto rest = static_cast<guint16>(256 - weight);
  const auto between = [&](guint a, guint b) {
    return static_cast<guint16>(static_cast<guint16>(a * rest + b * weight + 128) >> 8);
  };
  for (guint i = 0; i < count; ++i) {
    const guint16 level = between(above[i] & 255, below[i] & 255);
    const guint16 alpha = between(above[i] >> 8, below[i] >> 8);
    const auto kept = static_cast<guint16>(frame[i] * (255 - alpha) + 128);
    frame[i] = static_cast<guint8>((static_cast<guint16>(kept + (kept >> 8)) >> 8) + level);
  }
}

/// One plane under a picture.
class PlaneBlender {
 public:
  PlaneBlender(const Picture& picture, std::vector<Channel> channels)
      : picture_(picture), channels_(std::move(channels)), samples_(picture.width) {
    for (const Channel& c : channels_) {
      if (c.begin == c.end) continue;
      begin_ = std::min(begin_, c.byte(c.begin));
      end_ = std::max(end_, c.byte(c.end - 1) + 1);
    }
    for (Layer& layer : layers_) layer.bytes.resize(end_);
  }

  void blend(guint8* row, const Between& rows) {
    if (begin_ >= end_) return;
    const Layer &above = layer(rows.first), &below = layer(rows.second);
    if (above.shows || below.shows)
      mix(row + begin_, &above.bytes[begin_], &below.bytes[begin_],
          static_cast<guint16>(rows.weight), end_ - begin_);
  }

 private:
  /// The rows that a frame's row lies between are neighbours: two places are enough.
  const Layer& layer(guint row) {
    Layer& layer = layers_[row % 2];
    if (std::exchange(layer.row, static_cast<gint>(row)) != static_cast<gint>(row)) {
      const guint32* pixels = &picture_.pixels[gsize{row} * picture_.width];
      layer.shows =
          std::any_of(pixels, pixels + picture_.width, [](guint32 p) { return p >> 24 != 0; });
      for (const Channel& channel : channels_) {
        premultiply(pixels, picture_.width, channel.weights, samples_.data());
        stretch(samples_.data(), channel, layer.bytes.data() + channel.byte(channel.begin));
      }
    }
    return layer;
  }

  const Picture& picture_;
  const std::vector<Channel> channels_;
  std::vector<guint32> samples_;
  guint begin_ = G_MAXUINT, end_ = 0;  ///< bytes of a row
  std::array<Layer, 2> layers_;
};

/// Rows of chroma of an interlaced frame are of one field each, as are their pixels.
gdouble middle_of_row(const Axis& rows, guint row, bool interlaced) {
  if (!interlaced || rows.sub != 1) return rows.middle(row);
  return std::min<gdouble>(4 * (row / 2) + row % 2 + 1.5, rows.size - 0.5);
}

void blend_plane(GstVideoFrame* frame, const GstVideoInfo& info, guint plane,
                 const Picture& picture, const Rectangle& where) {
  std::vector<Channel> channels;
  Axis rows{static_cast<guint>(info.height), 0};
  for (guint c = 0; c < info.finfo->n_components; ++c) {
    if (info.finfo->plane[c] != plane) continue;
    rows.sub = info.finfo->h_sub[c];
    channels.emplace_back(info, c, picture.width, where);
  }
  PlaneBlender blender(picture, std::move(channels));
  auto* data = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(frame, plane));
  const gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
  const bool interlaced = GST_VIDEO_FRAME_IS_INTERLACED(frame);
  const auto [first, last] = rows.within(where.y, where.h);
  for (guint row = first; row < last; ++row)
    blender.blend(data + row * stride,
                  between(middle_of_row(rows, row, interlaced), where.y, where.h, picture.height));
}

}  // namespace

void blend_picture(GstVideoFrame* frame, const GstVideoInfo& info, const Picture& picture,
                   const Rectangle& where) {
  for (guint plane = 0; plane < info.finfo->n_planes; ++plane)
    blend_plane(frame, info, plane, picture, where);
}

}  // namespace gstpatchcore
