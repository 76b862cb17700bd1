// SPDX-License-Identifier: LGPL-2.1-or-later
#include "greedy_k_center.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "principal_heads.hpp"

namespace patchcore {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kHeadWidth = 64;
constexpr int64_t kPoolRows = 2048;
// Distances, most of which are ruled out, between two looks at the monitor.
constexpr int64_t kPairsAtOnce = 1 << 22;
constexpr int64_t kGrain = 512;
// Heads with larger squares could overflow when multiplied.
constexpr float kLargestSquare = 1e37F;

/// A row and the square of its distance to the nearest centre.
struct Far {
  float square;
  int64_t row;

  bool is_before(const Far& other) const {
    return square != other.square ? square > other.square : row < other.row;
  }
};

Heads selected(const Heads& heads, std::span<const int64_t> rows) {
  Heads some;
  some.width = heads.width;
  some.values.reserve(rows.size() * heads.width);
  for (const int64_t row : rows) {
    some.values.insert(some.values.end(), heads.row(row), heads.row(row) + heads.width);
    some.squares.push_back(heads.squares[row]);
    some.slack.push_back(heads.slack[row]);
  }
  return some;
}

/// The rows, and what is known of their distances to the centres so far.
struct Points {
  Points(const at::Tensor& rows, const CoresetSeed& seed, const Monitor& monitor,
         const kernels::Kernels& kernels)
      : kernels(kernels),
        values(rows.const_data_ptr<float>()),
        count(rows.size(0)),
        width(rows.size(1)),
        heads(PrincipalHeads(rows, kHeadWidth, monitor).heads(rows, {kHeadWidth}, monitor).front()),
        has_bounds(*std::max_element(heads.squares.begin(), heads.squares.end()) <= kLargestSquare),
        minimum(count, kInfinity) {
    if (!seed.minimum.defined()) return;
    const at::Tensor squares = seed.minimum.square().contiguous();
    std::copy_n(squares.const_data_ptr<float>(), count, minimum.begin());
  }

  const float* row(int64_t i) const { return values + i * width; }

  const kernels::Kernels& kernels;
  const float* values;
  int64_t count;
  int64_t width;
  Heads heads;
  bool has_bounds;             ///< else heads are of no use
  std::vector<float> minimum;  ///< of each row: square of the distance to the nearest centre; a
                               ///< centre's own is -1: never again
};

/// Centres side by side.
struct Centres {
  Centres(const Points& points, std::span<const int64_t> rows)
      : count(static_cast<int64_t>(rows.size())),
        packed(selected(points.heads, rows)),
        chunk(packed, 0, packed.blocks()) {
    values.reserve(count * points.width);
    for (const int64_t row : rows)
      values.insert(values.end(), points.row(row), points.row(row) + points.width);
  }

  int64_t count;
  std::vector<float> values;
  PackedHeads packed;
  Chunk chunk;
};

/// One thread's rows on their way past new centres.
class Lowering {
 public:
  Lowering(Points& points, const Centres& centres)
      : points_(points),
        centres_(centres),
        tile_heads_(points.kernels.queries * points.heads.width),
        limits_(points.kernels.queries),
        room_(centres.chunk.blocks * kernels::kBlockRows),
        rows_(points.kernels.queries * room_),
        products_(rows_.size()),
        candidates_(points.kernels.queries) {}

  void run(int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      if (points_.minimum[row] <= 0) continue;
      if (points_.has_bounds)
        add(row);
      else
        lower_by_all(row);
    }
    lower_tile();
  }

 private:
  void add(int64_t row) {
    std::copy_n(points_.heads.row(row), points_.heads.width,
                tile_heads_.data() + tile_.size() * points_.heads.width);
    tile_.push_back(row);
    if (static_cast<int64_t>(tile_.size()) == points_.kernels.queries) lower_tile();
  }

  void lower_tile() {
    if (tile_.empty()) return;
    std::fill(limits_.begin(), limits_.end(), kInfinity);
    for (size_t i = 0; i < tile_.size(); ++i) limits_[i] = limit_of(tile_[i]);
    for (size_t i = 0; i < candidates_.size(); ++i)
      candidates_[i] = {rows_.data() + i * room_, products_.data() + i * room_, 0};
    const Chunk& chunk = centres_.chunk;
    points_.kernels.filter({tile_heads_.data(), limits_.data(), chunk.rows, chunk.offsets,
                            points_.heads.width, chunk.blocks},
                           candidates_.data());
    for (size_t i = 0; i < tile_.size(); ++i) lower(tile_[i], candidates_[i]);
    tile_.clear();
  }

  /// The most promising first: what it leaves is ruled out most often.
  void lower(int64_t row, const kernels::Candidates& candidates) {
    if (candidates.count == 0) return;
    const float* products = candidates.products;
    const int64_t best = std::max_element(products, products + candidates.count) - products;
    lower(row, candidates.rows[best]);
    float limit = limit_of(row);
    for (int64_t i = 0; i < candidates.count; ++i)
      if (i != best && products[i] > limit && lower(row, candidates.rows[i])) limit = limit_of(row);
  }

  void lower_by_all(int64_t row) {
    for (int64_t centre = 0; centre < centres_.count; ++centre) lower(row, centre);
  }

  bool lower(int64_t row, int64_t centre) {
    const float square = points_.kernels.squared_distance(
        points_.row(row), centres_.values.data() + centre * points_.width, points_.width);
    if (!(square < points_.minimum[row])) return false;
    points_.minimum[row] = square;
    return true;
  }

  float limit_of(int64_t row) const {
    return limit(points_.heads, row, std::sqrt(points_.minimum[row]), centres_.chunk);
  }

  Points& points_;
  const Centres& centres_;
  std::vector<int64_t> tile_;
  AlignedVector<uint16_t> tile_heads_;
  std::vector<float> limits_;
  int64_t room_;  ///< for candidates of one row
  std::vector<int32_t> rows_;
  std::vector<float> products_;
  std::vector<kernels::Candidates> candidates_;
};

/// All rows see some centres.
void lower(Points& points, std::span<const int64_t> rows, const Monitor& monitor) {
  if (rows.empty()) return;
  const Centres centres(points, rows);
  const int64_t step = std::max(kPairsAtOnce / centres.count, kGrain);
  for (int64_t first = 0; first < points.count; first += step) {
    monitor.check();
    at::parallel_for(
        first, std::min(first + step, points.count), kGrain,
        [&](int64_t begin, int64_t end) { Lowering(points, centres).run(begin, end); });
  }
  for (const int64_t row : rows) points.minimum[row] = -1;
}

/// The rows that are farthest, in which a round's centres are found.
class Pool {
 public:
  explicit Pool(const Points& points) : points_(points) {
    collect();
    packed_ = PackedHeads(selected(points.heads, rows_));
    for (const int64_t row : rows_) minimum_.push_back(points.minimum[row]);
    room_rows_.resize(packed_.blocks() * kernels::kBlockRows);
    products_.resize(room_rows_.size());
    query_.resize(points.kernels.queries * points.heads.width);
    limits_.resize(points.kernels.queries, kInfinity);
    candidates_.resize(points.kernels.queries);
  }

  /// The next centre, which the others see; -1 where it may lie outside of the pool.
  int64_t next() {
    const auto top = std::max_element(minimum_.begin(), minimum_.end());
    const Far far{*top, rows_[top - minimum_.begin()]};
    if (far.square < 0 || !far.is_before(outside_)) return -1;
    *top = -1;
    if (points_.has_bounds)
      lower(far);
    else
      for (size_t i = 0; i < rows_.size(); ++i) lower(i, far.row);
    return far.row;
  }

 private:
  /// Rows in ascending order.
  void collect() {
    const std::vector<float>& minimum = points_.minimum;
    std::vector<float> squares = minimum;
    const auto least = squares.begin() + std::min(kPoolRows, points_.count) - 1;
    std::nth_element(squares.begin(), least, squares.end(), std::greater<>());
    const float square = *least;
    int64_t ties = std::count(squares.begin(), least + 1, square);
    for (int64_t row = 0; row < points_.count; ++row) {
      if (minimum[row] > square || (minimum[row] == square && ties-- > 0))
        rows_.push_back(row);
      else if (Far{minimum[row], row}.is_before(outside_))
        outside_ = {minimum[row], row};
    }
  }

  void lower(const Far& centre) {
    std::copy_n(points_.heads.row(centre.row), points_.heads.width, query_.data());
    candidates_[0] = {room_rows_.data(), products_.data(), 0};
    const Chunk chunk(packed_, 0, packed_.blocks());
    // All of the pool are at most as far from their centres as this one was.
    limits_[0] = limit(points_.heads, centre.row, std::sqrt(centre.square), chunk);
    points_.kernels.filter({query_.data(), limits_.data(), chunk.rows, chunk.offsets,
                            points_.heads.width, chunk.blocks},
                           candidates_.data());
    for (int64_t i = 0; i < candidates_[0].count; ++i) lower(candidates_[0].rows[i], centre.row);
  }

  void lower(int64_t place, int64_t centre) {
    float& minimum = minimum_[place];
    if (minimum < outside_.square || minimum < 0) return;  // not in this round
    minimum = std::min(minimum, points_.kernels.squared_distance(
                                    points_.row(rows_[place]), points_.row(centre), points_.width));
  }

  const Points& points_;
  std::vector<int64_t> rows_;
  std::vector<float> minimum_;  ///< of each of them
  Far outside_{-kInfinity, 0};  ///< the farthest that isn't in the pool
  PackedHeads packed_;
  AlignedVector<uint16_t> query_;
  std::vector<float> limits_;
  std::vector<int32_t> room_rows_;
  std::vector<float> products_;
  std::vector<kernels::Candidates> candidates_;
};

}  // namespace

at::Tensor lazy_greedy_k_center(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                                const Monitor& monitor, const kernels::Kernels& kernels) {
  count = std::min(count, rows.size(0));
  if (count <= 0) return at::empty({0}, at::kLong);
  Points points(rows, seed, monitor, kernels);
  std::vector<int64_t> chosen;
  const auto choose = [&](int64_t row) {
    monitor.check();
    chosen.push_back(row);
    monitor.report(static_cast<double>(chosen.size()) / static_cast<double>(count));
    return static_cast<int64_t>(chosen.size()) == count;
  };
  bool is_done = seed.first_row >= 0 && choose(seed.first_row);
  for (size_t seen = 0; !is_done;) {
    lower(points, std::span(chosen).subspan(seen), monitor);
    seen = chosen.size();
    Pool pool(points);
    for (int64_t row = pool.next(); row >= 0 && !is_done; row = pool.next()) is_done = choose(row);
  }
  return at::tensor(chosen, at::kLong);
}

}  // namespace patchcore
