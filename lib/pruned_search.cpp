// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pruned_search.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <span>

namespace patchcore {
namespace {

using kernels::kBlockRows;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kHeadWidth = 64;
// A chunk of rows, which stays in a core's own cache while all queries pass by.
constexpr int64_t kChunkValues = 192 << 10;
// The first is small: a greedy bank's first rows are its most spread, and bring limits down.
constexpr int64_t kFirstBlocks = 4;
// Heads that leave more than this share of rows to be computed cost more than whole rows.
constexpr int64_t kDenseShare = 8;
// A tile of so many leads.
constexpr size_t kLead = 4;
// Rows that are on their way to the processor while distances are computed.
constexpr size_t kAhead = 3;

struct Found {
  float square;
  int64_t row;
  /// What is no number is farthest.
  bool operator<(const Found& other) const {
    if (std::isnan(square) || std::isnan(other.square))
      return std::isnan(square) == std::isnan(other.square) ? row < other.row
                                                            : std::isnan(other.square);
    return square != other.square ? square < other.square : row < other.row;
  }
};

/// The k nearest of one query so far, nearest first.
class Nearest {
 public:
  explicit Nearest(int64_t k) : k_(k) { found_.reserve(k + 1); }

  void offer(const Found& found) {
    if (full() && !(found < found_.back())) return;
    found_.insert(std::upper_bound(found_.begin(), found_.end(), found), found);
    if (static_cast<int64_t>(found_.size()) > k_) found_.pop_back();
  }

  /// A row that is farther doesn't matter.
  float radius() const {
    return full() && !std::isnan(found_.back().square) ? std::sqrt(found_.back().square)
                                                       : kInfinity;
  }

  std::span<const Found> found() const { return found_; }

 private:
  bool full() const { return static_cast<int64_t>(found_.size()) == k_; }

  int64_t k_;
  std::vector<Found> found_;
};

/// Some queries that the filter takes together.
struct Tile {
  int64_t first;  ///< of all queries
  int64_t count;
  const Heads* heads;
  int64_t first_head;
  std::unique_ptr<const Heads> whole = nullptr;  ///< where short heads are of no use
};

/// So that a filter may read behind the last.
Heads padded(Heads heads, int64_t queries) {
  heads.values.resize((heads.rows() + queries - 1) / queries * queries * heads.width);
  return heads;
}

/// One thread's queries on their way through the bank.
class Walk {
 public:
  Walk(const at::Tensor& bank, const PrincipalHeads& principal, const PackedHeads& heads,
       const kernels::Kernels& kernels, const at::Tensor& queries, int64_t k)
      : bank_(bank),
        principal_(principal),
        heads_(heads),
        kernels_(kernels),
        queries_(queries),
        query_heads_(padded(principal.heads(queries), kernels.queries)),
        nearest_(queries.size(0), Nearest(k)),
        k_(k) {
    const int64_t rows = std::max(blocks_of_chunk(heads.width), kFirstBlocks) * kBlockRows;
    rows_.resize(kernels.queries * rows);
    products_.resize(rows_.size());
    order_.reserve(rows);
    for (int64_t first = 0; first < queries.size(0); first += kernels.queries)
      tiles_.push_back(
          {first, std::min(kernels.queries, queries.size(0) - first), &query_heads_, first});
  }

  /// Some tiles go first: what is nearest to a patch is near to the patches around it, so that the
  /// others begin with a small radius.
  std::vector<Nearest> run(const Monitor& monitor) {
    std::vector<Tile*> leaders, followers;
    for (size_t i = 0; i < tiles_.size(); ++i)
      (i % kLead == 0 ? leaders : followers).push_back(&tiles_[i]);
    pass(leaders, monitor);
    if (k_ == 1) take_hints();
    pass(followers, monitor);
    return std::move(nearest_);
  }

 private:
  static int64_t blocks_of_chunk(int64_t width) {
    return std::max<int64_t>(1, kChunkValues / (kBlockRows * width));
  }

  void pass(const std::vector<Tile*>& tiles, const Monitor& monitor) {
    const int64_t most = blocks_of_chunk(heads_.width);
    int64_t wanted = std::min(kFirstBlocks, most);
    for (int64_t block = 0; block < heads_.blocks();) {
      const int64_t blocks = std::min(wanted, heads_.blocks() - block);
      visit_whole_rows(tiles, block * kBlockRows, (block + blocks) * kBlockRows, monitor);
      visit(tiles, Chunk(heads_, block, blocks), monitor);
      block += blocks;
      wanted = std::min(2 * wanted, most);
    }
  }

  void visit(const std::vector<Tile*>& tiles, const Chunk& chunk, const Monitor& monitor) {
    monitor.check();
    const int64_t rows = std::max(chunk.blocks * kBlockRows, 2 * k_ * kDenseShare);
    for (Tile* tile : tiles)
      if (!tile->whole && compute(*tile, chunk) * kDenseShare > tile->count * rows)
        take_whole_rows(*tile);
  }

  /// The same for those tiles that want whole rows.
  void visit_whole_rows(const std::vector<Tile*>& tiles, int64_t first, int64_t last,
                        const Monitor& monitor) {
    if (std::none_of(tiles.begin(), tiles.end(), [](const Tile* t) { return !!t->whole; })) return;
    last = std::min(last, bank_.size(0));
    const int64_t step = blocks_of_chunk(bank_.size(1)) * kBlockRows;
    for (; first < last; first += step) {
      monitor.check();
      const PackedHeads rows(principal_.whole(bank_.slice(0, first, std::min(first + step, last))));
      Chunk chunk(rows, 0, rows.blocks());
      chunk.first_row = first;
      for (const Tile* tile : tiles)
        if (tile->whole) compute(*tile, chunk);
    }
  }

  void take_whole_rows(Tile& tile) {
    if (heads_.width >= bank_.size(1)) return;  // they are
    const at::Tensor queries = queries_.slice(0, tile.first, tile.first + tile.count);
    tile.whole = std::make_unique<const Heads>(padded(principal_.whole(queries), kernels_.queries));
    tile.heads = tile.whole.get();
    tile.first_head = 0;
  }

  /// Each query of a follower tries what the leaders before and behind it have found.
  void take_hints() {
    for (size_t i = 0; i < tiles_.size(); ++i) {
      if (i % kLead == 0) continue;
      const size_t before = i - i % kLead, behind = std::min(before + kLead, tiles_.size() - 1);
      for (const size_t leader : {before, behind}) {
        if (leader % kLead != 0) continue;
        for (int64_t from = tiles_[leader].first;
             from < tiles_[leader].first + tiles_[leader].count; ++from)
          for (int64_t to = tiles_[i].first; to < tiles_[i].first + tiles_[i].count; ++to)
            offer(to, nearest_[from].found().front().row);
      }
    }
  }

  /// Computes what the filter can't rule out, and returns how many distances that were.
  int64_t compute(const Tile& tile, const Chunk& chunk) {
    std::vector<float>& limits = limits_;
    limits.assign(kernels_.queries, kInfinity);
    std::vector<kernels::Candidates> candidates;
    const int64_t room = chunk.blocks * kBlockRows;
    for (int64_t i = 0; i < kernels_.queries; ++i) {
      if (i < tile.count) limits[i] = limit_of(tile, i, chunk);
      candidates.push_back({rows_.data() + i * room, products_.data() + i * room, 0});
    }
    const Heads& heads = *tile.heads;
    kernels_.filter({heads.row(tile.first_head), limits.data(), chunk.rows, chunk.offsets,
                     heads.width, chunk.blocks},
                    candidates.data());
    int64_t computed = 0;
    for (int64_t i = 0; i < tile.count; ++i) computed += compute(tile, i, chunk, candidates[i]);
    return computed;
  }

  /// Those of one query, most promising first, until what is left lies behind its radius.
  int64_t compute(const Tile& tile, int64_t i, const Chunk& chunk,
                  const kernels::Candidates& candidates) {
    order_.clear();
    for (int64_t j = 0; j < candidates.count; ++j) {
      const float product = candidates.products[j];
      const int64_t row = chunk.first_row + candidates.rows[j];
      if (row < bank_.size(0)) order_.push_back({std::isnan(product) ? kInfinity : product, row});
    }
    if (order_.empty()) return 0;
    // The best one most often rules out all others, before they need to be in order.
    std::iter_swap(order_.begin(), std::max_element(order_.begin(), order_.end()));
    offer(tile.first + i, order_.front().second);
    float limit = limit_of(tile, i, chunk);
    const auto out = std::remove_if(order_.begin() + 1, order_.end(),
                                    [&](const auto& c) { return c.first <= limit; });
    order_.erase(out, order_.end());
    std::sort(order_.begin() + 1, order_.end(), std::greater<>());
    size_t computed = 1;
    for (; computed < order_.size() && order_[computed].first > limit; ++computed) {
      if (computed + kAhead < order_.size()) prefetch(order_[computed + kAhead].second);
      offer(tile.first + i, order_[computed].second);
      limit = limit_of(tile, i, chunk);
    }
    return static_cast<int64_t>(computed);
  }

  void prefetch(int64_t row) const {
    constexpr int64_t kLine = 64 / sizeof(float), kLines = 8;  // the processor guesses the rest
    const float* values = row_of_bank(row);
    for (int64_t at = 0; at < std::min(width_, kLines * kLine); at += kLine)
      __builtin_prefetch(values + at);
  }

  float limit_of(const Tile& tile, int64_t i, const Chunk& chunk) const {
    return limit(*tile.heads, tile.first_head + i, nearest_[tile.first + i].radius(), chunk);
  }

  void offer(int64_t query, int64_t row) {
    const float* values = queries_values_ + query * width_;
    nearest_[query].offer({kernels_.squared_distance(values, row_of_bank(row), width_), row});
  }

  const float* row_of_bank(int64_t row) const { return rows_of_bank_ + row * width_; }

  const at::Tensor& bank_;
  const PrincipalHeads& principal_;
  const PackedHeads& heads_;
  const kernels::Kernels& kernels_;
  at::Tensor queries_;
  const float* rows_of_bank_ = bank_.const_data_ptr<float>();
  const float* queries_values_ = queries_.const_data_ptr<float>();
  int64_t width_ = bank_.size(1);
  Heads query_heads_;
  std::vector<Nearest> nearest_;  ///< of each query
  int64_t k_;
  std::vector<Tile> tiles_;
  std::vector<int32_t> rows_;  ///< room for candidates
  std::vector<float> products_;
  std::vector<float> limits_;
  std::vector<std::pair<float, int64_t>> order_;  ///< products and rows of candidates
};

}  // namespace

PrunedSearch::PrunedSearch(at::Tensor bank, const Monitor& monitor, const kernels::Kernels& kernels)
    : bank_(std::move(bank)),
      kernels_(kernels),
      principal_(bank_, kHeadWidth, monitor),
      heads_(principal_.heads(bank_, monitor)) {}

Neighbours PrunedSearch::search(const at::Tensor& queries, int64_t k,
                                const Monitor& monitor) const {
  const at::Tensor rows = queries.contiguous();
  const int64_t count = rows.size(0), tiles = (count + kernels_.queries - 1) / kernels_.queries;
  Neighbours result{at::empty({count, k}), at::empty({count, k}, at::kLong)};
  float* distances = result.distances.data_ptr<float>();
  int64_t* found_rows = result.rows.data_ptr<int64_t>();
  at::parallel_for(0, tiles, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kernels_.queries, last = std::min(end * kernels_.queries, count);
    const auto nearest =
        Walk(bank_, principal_, heads_, kernels_, rows.slice(0, first, last), k).run(monitor);
    for (int64_t i = 0; i < last - first; ++i)
      for (int64_t j = 0; j < k; ++j) {
        const Found& found = nearest[i].found()[j];
        distances[(first + i) * k + j] = std::sqrt(found.square);
        found_rows[(first + i) * k + j] = found.row;
      }
  });
  return result;
}

}  // namespace patchcore
