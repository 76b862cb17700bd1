// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/arithmetic.hpp"

namespace patchcore::cuda {
namespace {

template <typename Value>
float value_at(const void* values, int64_t i) {
  return to_float(static_cast<const Value*>(values)[i]);
}

float load(Type type, const void* values, int64_t i) {
  switch (type) {
    case Type::Byte: return value_at<uint8_t>(values, i);
    case Type::Float: return value_at<float>(values, i);
    case Type::Half: return value_at<Float16>(values, i);
    case Type::BFloat16: break;
  }
  return value_at<BFloat16>(values, i);
}

template <typename Value>
void put(float value, void* values, int64_t i) {
  store(value, static_cast<Value*>(values)[i]);
}

void put(Type type, float value, void* values, int64_t i) {
  if (type == Type::Float) put<float>(value, values, i);
  if (type == Type::Half) put<Float16>(value, values, i);
  if (type == Type::BFloat16) put<BFloat16>(value, values, i);
}

const char* normalise(const Normalise& n, Stream) {
  for (int64_t i = 0; i < n.values; ++i)
    put(n.to, normalised(load(n.from, n.rgb, i), n.mean[i % 3], n.deviation[i % 3]), n.out, i);
  return nullptr;
}

double sample_of(const Component& c, int64_t column, int64_t row) {
  const uint8_t* at = c.data + row * c.stride + column * c.step;
  const int bits = c.bytes == 2 ? at[0] | at[1] << 8 : at[0];
  return bits >> c.shift & ((1 << c.depth) - 1);
}

/// The triangle filter as Pillow defines it: what each of `size` pixels is of a resized one.
std::vector<double> triangle(int64_t place, int64_t size, int64_t resized) {
  const double scale = static_cast<double>(size) / static_cast<double>(resized);
  const double support = std::max(scale, 1.0), centre = (static_cast<double>(place) + 0.5) * scale;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double distance = std::abs(static_cast<double>(i) + 0.5 - centre) / support;
    weights.push_back(std::max(0.0, 1 - distance));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

double resized_sample(const Component& c, const Resize& r, int64_t x, int64_t y) {
  const auto rows = triangle(y, c.rows, r.resized_height),
             columns = triangle(x, c.columns, r.resized_width);
  double level = 0;
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < columns.size(); ++j)
      level +=
          rows[i] * columns[j] * sample_of(c, static_cast<int64_t>(j), static_cast<int64_t>(i));
  return level;
}

const char* resize(const Resize& r, Stream) {
  for (int64_t i = 0; i < r.out_width * r.out_height; ++i) {
    std::array<double, 3> samples{}, level{};
    for (size_t c = 0; c < 3; ++c)
      samples[c] = resized_sample(r.components[c], r, r.out_left + i % r.out_width,
                                  r.out_top + i / r.out_width);
    for (size_t c = 0; c < 3; ++c) {
      level[c] = r.to_rgb[c][3];
      for (size_t j = 0; j < 3; ++j) level[c] += r.to_rgb[c][j] * samples[j];
      level[c] = std::clamp(level[c], 0.0, 255.0);
    }
    for (size_t c = 0; c < 3; ++c) {
      const int64_t at = i * 3 + static_cast<int64_t>(c);
      if (r.rounded || r.to == Type::Byte) level[c] = std::floor(level[c] + 0.5);
      if (r.normalised) level[c] = (level[c] / 255 - r.mean[c]) / r.deviation[c];
      if (r.to == Type::Byte)
        static_cast<uint8_t*>(r.out)[at] = static_cast<uint8_t>(level[c]);
      else
        static_cast<float*>(r.out)[at] = static_cast<float>(level[c]);
    }
  }
  return nullptr;
}

/// The middle of the pixels that a sample is of.
double middle(int64_t sample, int32_t sub, int64_t size) {
  return static_cast<double>((sample << sub) + std::min((sample + 1) << sub, size)) / 2;
}

/// Where a point of a rectangle's side is in the picture, in pixels of it.
double place_in(double at, double begin, double extent, int64_t count) {
  return std::clamp((at - begin) / extent * static_cast<double>(count) - 0.5, 0.0,
                    static_cast<double>(count - 1));
}

/// Level and alpha of a component at a place in the picture.
std::array<double, 2> stretched(const Paint& p, double u, double v) {
  std::array<double, 2> sum{};
  for (int64_t y = 0; y < p.picture_height; ++y)
    for (int64_t x = 0; x < p.picture_width; ++x) {
      const double weight = std::max(0.0, 1 - std::abs(u - static_cast<double>(x))) *
                            std::max(0.0, 1 - std::abs(v - static_cast<double>(y)));
      const uint32_t pixel = p.pixels[y * p.picture_width + x];
      double level = p.weights[3];
      for (int c = 0; c < 3; ++c) level += p.weights[c] * (pixel >> (16 - 8 * c) & 255);
      sum[0] += weight * (pixel >> 24) / 255 * level;
      sum[1] += weight * (pixel >> 24) / 255;
    }
  return sum;
}

const char* paint(const Paint& p, Stream) {
  const Component& c = p.on;
  for (int64_t row = 0; row < c.rows; ++row)
    for (int64_t column = 0; column < c.columns; ++column) {
      const double x = middle(column, p.sub_x, p.width), y = middle(row, p.sub_y, p.height);
      if (x < p.x || x >= p.x + p.w || y < p.y || y >= p.y + p.h) continue;
      const double field_y =
          p.interlaced && p.sub_y == 1
              ? std::min(4.0 * static_cast<double>(row / 2) + static_cast<double>(row % 2) + 1.5,
                         static_cast<double>(p.height) - 0.5)
              : y;
      const auto [level, alpha] = stretched(p, place_in(x, p.x, p.w, p.picture_width),
                                            place_in(field_y, p.y, p.h, p.picture_height));
      if (alpha == 0) continue;
      const double most = (1 << c.depth) - 1, before = sample_of(c, column, row);
      const int bits = static_cast<int>(std::clamp(before * (1 - alpha) + level, 0.0, most) + 0.5)
                       << c.shift;
      uint8_t* at = c.data + row * c.stride + column * c.step;
      at[0] = static_cast<uint8_t>(bits);
      if (c.bytes == 2) at[1] = static_cast<uint8_t>(bits >> 8);
    }
  return nullptr;
}

const char* copy(void* to, const void* from, int64_t bytes, Stream) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return nullptr;
}

/// One channel of a map, averaged over patches, zeros around it: height x width.
std::vector<double> averaged(const Embed& e, int64_t image, int64_t channel) {
  std::vector<double> means;
  const int64_t radius = e.patch / 2;
  for (int64_t y = 0; y < e.height; ++y)
    for (int64_t x = 0; x < e.width; ++x) {
      double sum = 0;
      for (int64_t i = std::max<int64_t>(0, y - radius); i <= std::min(e.height - 1, y + radius);
           ++i)
        for (int64_t j = std::max<int64_t>(0, x - radius); j <= std::min(e.width - 1, x + radius);
             ++j)
          sum += load(e.type, e.map,
                      image * e.image_stride + channel * e.channel_stride + i * e.row_stride +
                          j * e.column_stride);
      means.push_back(sum / static_cast<double>(e.patch * e.patch));
    }
  return means;
}

/// The two places that one of another grid lies between, and the second's share.
struct Between {
  int64_t near, far;
  double share;
};

Between between(int64_t place, int64_t size, int64_t out_size, bool bilinear) {
  const double scale = static_cast<double>(size) / static_cast<double>(out_size);
  if (!bilinear) {
    // In fp32, as ATen: the products may lie at a whole number.
    const auto source = static_cast<int64_t>(static_cast<float>(place) * static_cast<float>(scale));
    return {std::min(source, size - 1), 0, 0};
  }
  const double source = std::max(0.0, (static_cast<double>(place) + 0.5) * scale - 0.5);
  const auto near = std::min(static_cast<int64_t>(source), size - 1);
  return {near, std::min(near + 1, size - 1), source - static_cast<double>(near)};
}

const char* embed(const Embed& e, Stream) {
  for (int64_t image = 0; image < e.images; ++image)
    for (int64_t channel = 0; channel < e.channels; ++channel) {
      const std::vector<double> means = averaged(e, image, channel);
      for (int64_t y = 0; y < e.out_height; ++y)
        for (int64_t x = 0; x < e.out_width; ++x) {
          const Between v = between(y, e.height, e.out_height, e.bilinear);
          const Between h = between(x, e.width, e.out_width, e.bilinear);
          const auto line = [&](int64_t row) {
            const double* values = means.data() + row * e.width;
            return (1 - h.share) * values[h.near] + h.share * values[h.far];
          };
          const double value = (1 - v.share) * line(v.near) + v.share * line(v.far);
          e.out[((image * e.out_height + y) * e.out_width + x) * e.pitch + channel] =
              static_cast<float>(value);
        }
    }
  return nullptr;
}

int64_t selected(const Selection& selection) {
  return selection.count ? std::min<int64_t>(*selection.count, selection.rows) : selection.rows;
}

int64_t named(const Selection& selection, int64_t place) {
  return selection.list ? selection.list[place] : place;
}

const char* round_rows(const RoundRows& r, Stream) {
  for (int64_t place = 0; place < selected(r.selection); ++place) {
    const float* row = r.rows + named(r.selection, place) * r.width;
    float square = 0, moved = 0;
    for (int64_t i = 0; i < r.out_width; ++i) {
      const float value = i < r.width ? row[i] - r.mean[i] : 0;
      const float kept = from_bf16(r.out[place * r.out_width + i] = to_bf16(value));
      square += kept * kept;
      moved += (kept - value) * (kept - value);
    }
    r.squares[place] = square;
    r.slack[place] = rounding_slack(square, moved);
  }
  return nullptr;
}

float product(const uint16_t* a, const uint16_t* b, int64_t width) {
  float sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += from_bf16(a[i]) * from_bf16(b[i]);
  return sum;
}

const char* multiply(const Multiply& m, Stream) {
  for (int64_t row = 0; row < selected(m.selection); ++row)
    for (int64_t column = 0; column < m.columns; ++column)
      m.out[row * m.columns + column] =
          product(m.a + row * m.width, m.b + column * m.width, m.width);
  return nullptr;
}

const char* group_maxima(const Multiply& m, Stream) {
  const int64_t groups = (m.columns + kGroup - 1) / kGroup;
  for (int64_t row = 0; row < selected(m.selection); ++row)
    for (int64_t group = 0; group < groups; ++group) {
      float& largest = m.out[row * groups + group] = -infinity();
      for (int64_t c = group * kGroup; c < std::min(m.columns, (group + 1) * kGroup); ++c) {
        const float found = product(m.a + row * m.width, m.b + c * m.width, m.width) + m.offsets[c];
        largest = std::isnan(found) ? infinity() : std::max(largest, found);
      }
    }
  return nullptr;
}

const char* make_heads(const MakeHeads& m, Stream) {
  for (int64_t row = 0; row < m.rows; ++row) {
    std::vector<float> head(m.width);
    float inside = 0;
    for (int64_t i = 0; i < m.count; ++i) {
      head[i] = m.coordinates[row * m.count + i] / m.scale;
      inside += head[i] * head[i];
    }
    const float whole = m.row_squares[row];
    const float rest = head[m.count] = std::sqrt(std::max(whole - inside, 0.0F));
    float square = 0, moved = 0;
    for (int64_t i = 0; i < m.width; ++i) {
      const float kept = from_bf16(m.out[row * m.width + i] = to_bf16(head[i]));
      square += kept * kept;
      moved += (kept - head[i]) * (kept - head[i]);
    }
    m.squares[row] = square;
    m.slack[row] = m.row_slack[row] + std::sqrt(moved) * (1 + 0x1p-10F) +
                   std::sqrt(whole) * (product_error(m.row_width) + 0x1p-21F) +
                   rest_error(whole, rest, m.row_width);
  }
  return nullptr;
}

/// In the order that a warp sums in, so that results are the same to the last bit.
float squared_distance(const float* a, const float* b, int64_t width) {
  std::array<float, 32> sums{};
  for (int64_t i = 0; i < width; ++i) {
    const float difference = a[i] - b[i];
    sums[i % 32] = std::fma(difference, difference, sums[i % 32]);
  }
  for (size_t other = 16; other > 0; other /= 2)
    for (size_t i = 0; i < other; ++i) sums[i] += sums[i + other];
  return sums[0];
}

/// Without any pruning: the budget is what a query needs that is as unlike as can be.
const char* walk(const Walk& w, Stream) {
  for (int64_t place = 0; place < selected(w.selection); ++place) {
    const int64_t query = named(w.selection, place);
    for (int64_t row = 0; row < w.rows; ++row) {
      const float square = squared_distance(w.queries + query * w.row_width,
                                            w.bank + row * w.row_width, w.row_width);
      if (row > 0 && !(square < w.squares[query])) continue;
      w.squares[query] = square;
      w.nearest[query] = row;
    }
  }
  return nullptr;
}

const char* choose(const Choose& c, Stream) {
  for (int64_t step = 0; step < c.steps; ++step) {
    uint64_t best = 0;
    for (int64_t place = 0; place < c.count; ++place)
      best = std::max(best, largest_key(c.minimum[place], c.order[place]));
    const int64_t centre = step == 0 && c.first >= 0 ? c.first : row_of(best);
    c.chosen[step] = centre;
    for (int64_t place = 0; place < c.count; ++place) {
      const float* row = c.rows + c.order[place] * c.width;
      c.minimum[place] =
          std::min(c.minimum[place], squared_distance(row, c.rows + centre * c.width, c.width));
    }
    c.minimum[c.place[centre]] = -1;
  }
  return nullptr;
}

}  // namespace

const Kernels& reference_kernels() {
  static constexpr Kernels kernels{normalise, resize,       paint,      copy, embed, round_rows,
                                   multiply,  group_maxima, make_heads, walk, choose};
  return kernels;
}

}  // namespace patchcore::cuda
