// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pruned_search.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "bf16.hpp"
#include "nearest.hpp"
#include "promising.hpp"

namespace patchcore {
namespace {

using kernels::kBlockRows;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Of the heads that what the filter leaves is looked at with.
constexpr int64_t kLongWidth = 256;
// A chunk of rows, which stays in a core's own cache while all queries pass by. The first are
// small: a greedy bank's first rows are its most spread, and bring radii down.
constexpr int64_t kChunkValues = 192 << 10;
constexpr int64_t kFirstBlocks = 1;
// A tile of queries in so many goes first.
constexpr int64_t kLead = 4;
// Queries of such a tile whose nearest row others try.
constexpr int64_t kHints = 8;
// What a look at a row costs, in products of two values of the filter; it waits for memory mostly.
constexpr int64_t kLookCost = 2048;
// Distances whose cost a query may have had in any case before it goes on with whole rows.
constexpr int64_t kDistancesAtFirst = 24;

/// Some queries in one form, with as many more heads as the filter may read behind the last.
struct QueryHeads {
  Heads heads;
  std::vector<int64_t> numbers;  ///< of the query that each head is of

  int64_t count() const { return heads.rows(); }

  void append(const Heads& more, const std::vector<int64_t>& queries, int64_t together) {
    heads.width = more.width;
    heads.values.resize(count() * heads.width);
    heads.values.insert(heads.values.end(), more.values.begin(), more.values.end());
    heads.squares.insert(heads.squares.end(), more.squares.begin(), more.squares.end());
    heads.slack.insert(heads.slack.end(), more.slack.begin(), more.slack.end());
    numbers.insert(numbers.end(), queries.begin(), queries.end());
    heads.values.resize((count() + together - 1) / together * together * heads.width);
  }
};

int64_t blocks_of_chunk(int64_t width) {
  return std::max<int64_t>(1, kChunkValues / (kBlockRows * width));
}

}  // namespace

/// One thread's queries on their way through the bank.
class PrunedSearch::Walk {
 public:
  Walk(const PrunedSearch& search, const at::Tensor& queries, int64_t k)
      : search_(search),
        queries_(queries),
        count_(queries.size(0)),
        k_(k),
        nearest_(count_, Nearest(k)),
        cost_(count_),
        is_hard_(count_) {
    std::vector<int64_t> all(count_);
    std::iota(all.begin(), all.end(), 0);
    std::vector<int64_t> widths{search.short_.width};
    if (looks_closer()) widths.push_back(search.long_.heads.width);
    auto heads = search.principal_.heads(queries, widths);
    short_.append(heads.front(), all, tile_);
    if (looks_closer()) long_ = std::move(heads.back());
    const int64_t rows = std::max(blocks_of_chunk(search.short_.width), kFirstBlocks) * kBlockRows;
    candidate_rows_.resize(tile_ * rows);
    products_.resize(tile_ * rows);
    for (int64_t i = 0; i < tile_; ++i)
      candidates_.push_back({&candidate_rows_[i * rows], &products_[i * rows], 0});
  }

  /// What is nearest to a patch is near to the patches around it: some tiles of queries go first,
  /// so that the others begin with a small radius.
  std::vector<Nearest> run(SharedMonitor& monitor) {
    std::vector<int64_t> leaders, followers;  // by their first queries
    for (int64_t first = 0; first < count_; first += tile_)
      (first / tile_ % kLead == 0 ? leaders : followers).push_back(first);
    for (int64_t query = 0; query < count_; ++query)
      if (!std::isfinite(short_.heads.squares[query])) compute_all(query, monitor);
    pass(leaders, monitor);
    if (k_ == 1)
      for (const int64_t first : followers) take_hints(first);
    pass(followers, monitor);
    for (int64_t query = 0; query < count_; ++query)
      if (static_cast<int64_t>(nearest_[query].found().size()) < k_) compute_all(query, monitor);
    return std::move(nearest_);
  }

 private:
  /// For values whose squares overflow or are no number, which products say nothing of.
  void compute_all(int64_t query, SharedMonitor& monitor) {
    monitor.check();
    is_hard_[query] = true;
    nearest_[query] = Nearest(k_);
    for (int64_t row = 0; row < search_.bank_.size(0); ++row) offer(query, row);
  }

  void pass(const std::vector<int64_t>& tiles, SharedMonitor& monitor) {
    const PackedHeads& rows = search_.short_;
    const int64_t most = blocks_of_chunk(rows.width);
    whole_ = {};
    int64_t wanted = kFirstBlocks;
    for (int64_t block = 0; block < rows.blocks(); wanted = std::min(2 * wanted, most)) {
      const int64_t blocks = std::min(wanted, rows.blocks() - block);
      visit_whole_rows(block, blocks, monitor);
      monitor.check();
      const Chunk chunk(rows, block, blocks);
      for (const int64_t first : tiles) visit(short_, first, chunk);
      block += blocks;
      find_hard(tiles, block * kBlockRows);
    }
  }

  void visit_whole_rows(int64_t block, int64_t blocks, SharedMonitor& monitor) {
    if (whole_.count() == 0) return;
    const PackedHeads& rows = search_.whole_;
    const int64_t most = blocks_of_chunk(rows.width);
    for (const int64_t end = block + blocks; block < end; block += most) {
      monitor.check();
      const Chunk chunk(rows, block, std::min(most, end - block));
      for (int64_t first = 0; first < whole_.count(); first += tile_) visit(whole_, first, chunk);
    }
  }

  /// Those whose short heads have left so much to do, of so many rows, that whole ones cost less.
  void find_hard(const std::vector<int64_t>& tiles, int64_t rows) {
    if (search_.whole_.blocks() == 0) return;
    const int64_t at_first = (kDistancesAtFirst + 2 * k_) * distance_cost_;
    const int64_t much = at_first + rows * (search_.whole_.width - search_.short_.width);
    std::vector<int64_t> hard;
    for (const int64_t first : tiles)
      for (int64_t query = first; query < std::min(first + tile_, count_); ++query)
        if (!is_hard_[query] && cost_[query] > much) hard.push_back(query);
    if (hard.empty()) return;
    for (const int64_t query : hard) is_hard_[query] = true;
    const at::Tensor values = queries_.index_select(0, at::tensor(hard));
    whole_.append(search_.principal_.heads(values, {width_}).front(), hard, tile_);
  }

  /// The queries of a follower try what some of the leaders before and behind it have found.
  void take_hints(int64_t follower) {
    const int64_t leader = follower - follower % (kLead * tile_);
    const int64_t step = std::max<int64_t>(1, tile_ / kHints);
    for (const int64_t first : {leader, leader + kLead * tile_})
      for (int64_t from = first; from < std::min(first + tile_, count_); from += step)
        for (int64_t to = follower; to < std::min(follower + tile_, count_); ++to)
          for (const Found& found : nearest_[from].found()) offer(to, found.row);
  }

  /// Computes what the filter can't rule out.
  void visit(const QueryHeads& queries, int64_t first, const Chunk& chunk) {
    const int64_t count = std::min(tile_, queries.count() - first);
    const auto limit_of = [&](int64_t head) {
      return limit(queries.heads, head, radius(queries.numbers[head]), chunk);
    };
    limits_.assign(tile_, kInfinity);
    for (auto& candidates : candidates_) candidates.count = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (&queries == &whole_ || !is_hard_[queries.numbers[first + i]])
        limits_[i] = limit_of(first + i);
    }
    if (std::all_of(limits_.begin(), limits_.end(), [](float l) { return l == kInfinity; })) return;
    search_.kernels_.filter({queries.heads.row(first), limits_.data(), chunk.rows, chunk.offsets,
                             queries.heads.width, chunk.blocks},
                            candidates_.data());
    for (int64_t i = 0; i < count; ++i) {
      if (limits_[i] == kInfinity || candidates_[i].count == 0) continue;
      take(candidates_[i], chunk.first_row);
      const int64_t query = queries.numbers[first + i];
      if (&queries == &short_ && looks_closer()) {
        look_closer(query);
        compute(query, [&] {
          return limit(long_, query, radius(query), search_.long_.slack, search_.long_.norm);
        });
      } else {
        compute(query, [&] { return limit_of(first + i); });
      }
    }
  }

  void take(const kernels::Candidates& candidates, int64_t first_row) {
    order_.clear();
    for (int64_t j = 0; j < candidates.count; ++j) {
      const int64_t row = first_row + candidates.rows[j];
      if (row < search_.bank_.size(0)) order_.push_back({candidates.products[j], row});
    }
  }

  bool looks_closer() const { return search_.long_.heads.width > 0; }

  /// Makes the products of short heads those of long ones.
  void look_closer(int64_t query) {
    const LongHeads& rows = search_.long_;
    const int64_t same = search_.short_.width - 1, tail = rows.heads.width - same;
    const float rest = from_bf16(short_.heads.row(query)[same]);
    const uint16_t* values = long_.row(query) + same;
    for (size_t j = 0; j < order_.size(); ++j) {
      if (j + kAhead < order_.size())
        prefetch(rows.heads.row(order_[j + kAhead].second) + same, tail);
      auto& [product, row] = order_[j];
      product += search_.kernels_.product(values, rows.heads.row(row) + same, tail) +
                 rows.shifts[row] - rest * rows.rests[row];
    }
    cost_[query] += kLookCost * static_cast<int64_t>(order_.size());
  }

  template <typename Limit>
  void compute(int64_t query, const Limit& limit) {
    const int64_t offered = offer_promising(
        order_, limit, [&](int64_t row) { offer(query, row); },
        [&](int64_t row) { prefetch(rows_ + row * width_, width_); });
    cost_[query] += distance_cost_ * offered;
  }

  float radius(int64_t query) const { return nearest_[query].radius(); }

  void offer(int64_t query, int64_t row) {
    const float* values = values_ + query * width_;
    nearest_[query].offer(
        {search_.kernels_.squared_distance(values, rows_ + row * width_, width_), row});
  }

  const PrunedSearch& search_;
  const at::Tensor& queries_;
  const int64_t tile_ = search_.kernels_.queries;
  const int64_t width_ = queries_.size(1);
  const int64_t distance_cost_ = search_.kernels_.distance_cost * width_;
  const float* rows_ = search_.bank_.const_data_ptr<float>();
  const float* values_ = queries_.const_data_ptr<float>();
  int64_t count_;
  int64_t k_;
  QueryHeads short_;
  Heads long_;
  QueryHeads whole_;              ///< of the pass's hard queries
  std::vector<Nearest> nearest_;  ///< of each query
  std::vector<int64_t> cost_;     ///< of each query
  std::vector<bool> is_hard_;

  // Of the tile in hand.
  std::vector<float> limits_;
  std::vector<kernels::Candidates> candidates_;
  std::vector<int32_t> candidate_rows_;
  std::vector<float> products_;
  Promising order_;  ///< of a query
};

PrunedSearch::PrunedSearch(at::Tensor bank, const Monitor& monitor, const kernels::Kernels& kernels)
    : bank_(std::move(bank)), kernels_(kernels), principal_(bank_, kLongWidth, monitor) {
  const int64_t width = bank_.size(1);
  std::vector<int64_t> widths{kernels.head_width};
  for (const int64_t longer : {kLongWidth, width})
    if (longer > widths.back()) widths.push_back(longer);
  auto heads = principal_.heads(bank_, widths, monitor);
  short_ = PackedHeads(heads.front());
  if (short_.width >= width) return;  // they are whole rows
  whole_ = PackedHeads(heads.back());
  if (kLongWidth < width) long_ = lengthened(std::move(heads[1]), heads.front());
}

PrunedSearch::LongHeads PrunedSearch::lengthened(Heads heads, const Heads& short_heads) {
  LongHeads result;
  result.rests.reserve(heads.rows());
  result.shifts.reserve(heads.rows());
  for (int64_t row = 0; row < heads.rows(); ++row) {
    const float rest = from_bf16(short_heads.row(row)[short_heads.width - 1]);
    const float before = short_heads.squares[row] - rest * rest;
    result.rests.push_back(rest);
    result.shifts.push_back((rest * rest - (heads.squares[row] - before)) / 2);
    result.slack = std::max(result.slack, heads.slack[row]);
    result.norm = std::max(result.norm, std::sqrt(heads.squares[row]));
  }
  result.heads = std::move(heads);
  return result;
}

Neighbours PrunedSearch::search(const at::Tensor& queries, int64_t k,
                                const Monitor& monitor) const {
  const at::Tensor rows = queries.contiguous();
  const int64_t count = rows.size(0), tile = kernels_.queries;
  Neighbours result{at::empty({count, k}), at::empty({count, k}, at::kLong)};
  float* distances = result.distances.data_ptr<float>();
  int64_t* found_rows = result.rows.data_ptr<int64_t>();
  SharedMonitor shared(monitor);
  at::parallel_for(0, (count + tile - 1) / tile, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * tile, last = std::min(end * tile, count);
    const at::Tensor part = rows.slice(0, first, last);
    const auto nearest = Walk(*this, part, k).run(shared);
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
