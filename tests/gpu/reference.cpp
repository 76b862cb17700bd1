// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reference.hpp"

#include <algorithm>
#include <array>
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
  static constexpr Kernels kernels{normalise,    embed,      round_rows, multiply,
                                   group_maxima, make_heads, walk,       choose};
  return kernels;
}

}  // namespace patchcore::cuda
