// SPDX-License-Identifier: LGPL-2.1-or-later
#include "placed_search.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "nearest.hpp"
#include "promising.hpp"

namespace patchcore {
namespace {

using kernels::kBlockRows;
static_assert(kBlockRows == Reach::kWordRows);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Of a region at first: as many queries of a picture as an AMX filter takes together.
constexpr Size kSmallRegion{8, 4};
// Regions have so many heads at most, of the bank's rows; larger ones have less in common twice.
constexpr int64_t kCopies = 16;
// The first chunk's blocks; each next one has twice as many.
constexpr int64_t kFirstBlocks = 1;
// Rows that a query begins with.
constexpr int64_t kTried = 8;

int64_t pieces(int side, int piece) { return (side + piece - 1) / piece; }

Heads gathered(const Heads& heads, const std::vector<int64_t>& rows) {
  Heads some;
  some.width = heads.width;
  some.values.reserve(rows.size() * static_cast<size_t>(heads.width));
  for (const int64_t row : rows) {
    some.values.insert(some.values.end(), heads.row(row), heads.row(row) + heads.width);
    some.squares.push_back(heads.squares[row]);
    some.slack.push_back(heads.slack[row]);
  }
  return some;
}

}  // namespace

/// One thread's tiles.
class PlacedSearch::Walk {
 public:
  /// queries, cells: of all tiles, in their order.
  Walk(const PlacedSearch& search, const at::Tensor& queries, const std::vector<int64_t>& cells,
       int64_t k)
      : search_(search), queries_(queries), cells_(cells), k_(k) {}

  /// Calls found(query, nearest) for each query of some tiles.
  template <typename FoundOf>
  void run(std::span<const Tile> tiles, SharedMonitor& monitor, const FoundOf& found) {
    if (tiles.empty()) return;
    base_ = tiles.front().first;
    const int64_t end = tiles.back().first + tiles.back().count;
    heads_ = std::move(
        search_.principal_.heads(queries_.slice(0, base_, end), {search_.kernels_.head_width})
            .front());
    // The filter may read as many as it takes together.
    heads_.values.resize(heads_.values.size() +
                         static_cast<size_t>(search_.kernels_.queries * heads_.width));
    for (const Tile& tile : tiles) {
      monitor.check();
      look(tile);
      for (int64_t i = 0; i < tile.count; ++i) found(tile.first + i, nearest_[i].found());
    }
  }

 private:
  void look(const Tile& tile) {
    const Region& region = search_.regions_[static_cast<size_t>(tile.region)];
    nearest_.assign(static_cast<size_t>(tile.count), Nearest(k_));
    for (int64_t i = 0; i < tile.count; ++i) begin(tile, i, region);
    int64_t blocks = kFirstBlocks;
    for (int64_t block = 0; block < region.heads.blocks(); block += blocks, blocks *= 2)
      visit(tile, region,
            Chunk(region.heads, block, std::min(blocks, region.heads.blocks() - block)));
  }

  std::span<const uint64_t> words(const Tile& tile, int64_t i, const Region& region) const {
    const auto blocks = static_cast<size_t>(region.heads.blocks());
    const int64_t place = search_.place_in_region(cells_[static_cast<size_t>(tile.first + i)]);
    return std::span(region.words).subspan(static_cast<size_t>(place) * blocks, blocks);
  }

  /// With some rows, so that the radius is small from the first chunk on; with all of them where
  /// values' squares overflow or are no number, which products say nothing of.
  void begin(const Tile& tile, int64_t i, const Region& region) {
    const auto of_query = words(tile, i, region);
    const bool all = !std::isfinite(heads_.squares[tile.first + i - base_]);
    if (!all && k_ > 1) return;  // nothing may be offered twice
    const auto used = std::count_if(of_query.begin(), of_query.end(), [](auto w) { return w; });
    const int64_t step = all ? 1 : std::max<int64_t>(1, used / kTried);
    int64_t seen = 0;
    for (size_t w = 0; w < of_query.size(); ++w)
      for (uint64_t bits = of_query[w]; bits != 0; bits = all ? bits & (bits - 1) : 0)
        if (all || seen++ % step == 0)
          offer(tile, i, region.rows[w * kBlockRows + std::countr_zero(bits)]);
  }

  void visit(const Tile& tile, const Region& region, const Chunk& chunk) {
    const kernels::Kernels& kernels = search_.kernels_;
    make_room(chunk);
    const auto first_word = static_cast<size_t>(chunk.first_row / kBlockRows);
    const auto limit_of = [&](int64_t i) {
      return limit(heads_, tile.first + i - base_, nearest_[i].radius(), chunk);
    };
    limits_.assign(static_cast<size_t>(kernels.queries), kInfinity);
    for (int64_t i = 0; i < tile.count; ++i) {
      const auto of_chunk =
          words(tile, i, region).subspan(first_word, static_cast<size_t>(chunk.blocks));
      const bool any = std::any_of(of_chunk.begin(), of_chunk.end(), [](auto w) { return w; });
      if (any && std::isfinite(heads_.squares[tile.first + i - base_])) limits_[i] = limit_of(i);
    }
    kernels.filter({heads_.row(tile.first - base_), limits_.data(), chunk.rows, chunk.offsets,
                    heads_.width, chunk.blocks},
                   candidates_.data());
    for (int64_t i = 0; i < tile.count; ++i) {
      if (limits_[i] == kInfinity || candidates_[i].count == 0) continue;
      take(candidates_[i], words(tile, i, region).subspan(first_word),
           region.rows.data() + chunk.first_row);
      offer_promising(
          order_, [&] { return limit_of(i); }, [&](int64_t row) { offer(tile, i, row); },
          [&](int64_t row) { prefetch(rows_ + row * width_, width_); });
    }
  }

  void make_room(const Chunk& chunk) {
    const int64_t tile = search_.kernels_.queries, rows = chunk.blocks * kBlockRows;
    candidate_rows_.resize(static_cast<size_t>(tile * rows));
    products_.resize(static_cast<size_t>(tile * rows));
    candidates_.clear();
    for (int64_t i = 0; i < tile; ++i)
      candidates_.push_back({&candidate_rows_[i * rows], &products_[i * rows], 0});
  }

  /// Those in the query's own reach. words: from the chunk's on; what is behind the last row is in
  /// nobody's.
  void take(const kernels::Candidates& candidates, std::span<const uint64_t> words,
            const int64_t* rows) {
    order_.clear();
    for (int64_t j = 0; j < candidates.count; ++j) {
      const int32_t row = candidates.rows[j];
      if (words[static_cast<size_t>(row / kBlockRows)] >> row % kBlockRows & 1)
        order_.push_back({candidates.products[j], rows[row]});
    }
  }

  void offer(const Tile& tile, int64_t i, int64_t row) {
    const float* values = values_ + (tile.first + i) * width_;
    nearest_[i].offer(
        {search_.kernels_.squared_distance(values, rows_ + row * width_, width_), row});
  }

  const PlacedSearch& search_;
  const at::Tensor& queries_;
  const std::vector<int64_t>& cells_;
  const int64_t k_;
  const int64_t width_ = queries_.size(1);
  const float* rows_ = search_.bank_.const_data_ptr<float>();
  const float* values_ = queries_.const_data_ptr<float>();
  int64_t base_ = 0;  ///< the query of the first head
  Heads heads_;

  // Of the tile in hand.
  std::vector<Nearest> nearest_;
  std::vector<float> limits_;
  std::vector<kernels::Candidates> candidates_;
  std::vector<int32_t> candidate_rows_;
  std::vector<float> products_;
  Promising order_;
};

PlacedSearch::PlacedSearch(at::Tensor bank, const Reach& reach, const Monitor& monitor,
                           const kernels::Kernels& kernels)
    : bank_(std::move(bank)),
      kernels_(kernels),
      principal_(bank_, kernels.head_width, monitor),
      grid_(reach.grid()) {
  choose_regions(reach);
  const Heads heads = std::move(principal_.heads(bank_, {kernels.head_width}, monitor).front());
  regions_.resize(static_cast<size_t>(regions()));
  SharedMonitor shared(monitor);
  at::parallel_for(0, regions(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t region = begin; region < end; ++region) {
      shared.check();
      regions_[static_cast<size_t>(region)] = make_region(reach, region, heads);
    }
  });
}

int64_t PlacedSearch::regions() const {
  return pieces(grid_.width, region_.width) * pieces(grid_.height, region_.height);
}

int64_t PlacedSearch::region_of(int64_t cell) const {
  const int64_t y = cell / grid_.width / region_.height, x = cell % grid_.width / region_.width;
  return y * pieces(grid_.width, region_.width) + x;
}

int64_t PlacedSearch::place_in_region(int64_t cell) const {
  return cell / grid_.width % region_.height * region_.width + cell % grid_.width % region_.width;
}

std::vector<int64_t> PlacedSearch::cells_of(int64_t region) const {
  const int64_t across = pieces(grid_.width, region_.width);
  const int64_t top = region / across * region_.height, left = region % across * region_.width;
  std::vector<int64_t> cells;
  for (int64_t y = top; y < std::min<int64_t>(top + region_.height, grid_.height); ++y)
    for (int64_t x = left; x < std::min<int64_t>(left + region_.width, grid_.width); ++x)
      cells.push_back(y * grid_.width + x);
  return cells;
}

/// The rows in the reach of one of its cells.
std::vector<int64_t> PlacedSearch::rows_of(const Reach& reach, int64_t region) const {
  std::vector<uint64_t> all(reach.words(0).size());
  for (const int64_t cell : cells_of(region)) {
    const auto words = reach.words(cell);
    for (size_t w = 0; w < all.size(); ++w) all[w] |= words[w];
  }
  std::vector<int64_t> rows;
  for (size_t w = 0; w < all.size(); ++w)
    for (uint64_t bits = all[w]; bits != 0; bits &= bits - 1)
      rows.push_back(static_cast<int64_t>(w) * kBlockRows + std::countr_zero(bits));
  return rows;
}

/// As small as the memory of all of them allows.
void PlacedSearch::choose_regions(const Reach& reach) {
  region_ = kSmallRegion;
  while (regions() > 1) {
    int64_t rows = 0;
    for (int64_t region = 0; region < regions(); ++region)
      rows += static_cast<int64_t>(rows_of(reach, region).size());
    if (rows <= kCopies * reach.rows()) return;
    (region_.height < region_.width ? region_.height : region_.width) *= 2;
  }
}

PlacedSearch::Region PlacedSearch::make_region(const Reach& reach, int64_t region,
                                               const Heads& heads) const {
  Region made;
  made.rows = rows_of(reach, region);
  made.heads = PackedHeads(gathered(heads, made.rows));
  const int64_t blocks = made.heads.blocks();
  made.words.resize(static_cast<size_t>(blocks * region_.width * region_.height));
  for (const int64_t cell : cells_of(region)) {
    const auto words = reach.words(cell);
    uint64_t* out = made.words.data() + place_in_region(cell) * blocks;
    for (size_t i = 0; i < made.rows.size(); ++i) {
      const int64_t row = made.rows[i];
      const uint64_t bit = words[static_cast<size_t>(row / kBlockRows)] >> row % kBlockRows & 1;
      out[i / kBlockRows] |= bit << i % kBlockRows;
    }
  }
  return made;
}

/// regions: of all queries, ascending.
std::vector<PlacedSearch::Tile> PlacedSearch::tiles_of(const std::vector<int64_t>& regions) const {
  std::vector<Tile> tiles;
  for (int64_t i = 0; i < static_cast<int64_t>(regions.size()); ++i) {
    const int64_t region = regions[static_cast<size_t>(i)];
    if (tiles.empty() || tiles.back().region != region || tiles.back().count == kernels_.queries)
      tiles.push_back({i, 0, region});
    ++tiles.back().count;
  }
  return tiles;
}

Neighbours PlacedSearch::search(const at::Tensor& queries, const at::Tensor& cells, int64_t k,
                                const Monitor& monitor) const {
  const int64_t count = queries.size(0);
  const auto cell = cells.accessor<int64_t, 1>();
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return region_of(cell[a]) < region_of(cell[b]); });
  std::vector<int64_t> regions, of_order;
  for (const int64_t query : order) {
    of_order.push_back(cell[query]);
    regions.push_back(region_of(cell[query]));
  }
  const std::vector<Tile> tiles = tiles_of(regions);
  const at::Tensor rows = queries.index_select(0, at::tensor(order, at::kLong));

  Neighbours result{at::empty({count, k}), at::empty({count, k}, at::kLong)};
  float* distances = result.distances.data_ptr<float>();
  int64_t* found_rows = result.rows.data_ptr<int64_t>();
  SharedMonitor shared(monitor);
  at::parallel_for(0, static_cast<int64_t>(tiles.size()), 1, [&](int64_t begin, int64_t end) {
    const std::span some(tiles.data() + begin, static_cast<size_t>(end - begin));
    Walk(*this, rows, of_order, k).run(some, shared, [&](int64_t i, auto nearest) {
      const int64_t query = order[static_cast<size_t>(i)];
      for (int64_t j = 0; j < k; ++j) {
        const Found& found = nearest[static_cast<size_t>(j)];
        distances[query * k + j] = std::sqrt(found.square);
        found_rows[query * k + j] = found.row;
      }
    });
  });
  return result;
}

}  // namespace patchcore
