// SPDX-License-Identifier: LGPL-2.1-or-later
#include <initializer_list>

#include "avx512_bf16_vectors.hpp"

namespace patchcore::kernels {
namespace {

using Simd = Avx512Bf16Vectors;

// A tile register holds 16 rows of 64 bytes: 16 queries' 32 values, 16 pairs of values of 16 rows
// of the bank, or the fp32 sums of 16 queries and 16 rows. Two times two tiles of sums are worked
// on at once.
constexpr int64_t kTileRows = 16, kLanes = 16, kValues = 32;
constexpr int64_t kTilesHeadWidth = 128, kTilesDistanceCost = 128;
constexpr int64_t kQueries = 2 * kTileRows, kVectors = kBlockRows / kLanes;
// The tile registers, by number as the instructions want them; 0 to 3 hold sums.
#define QUERIES 4
#define ROWS 5
#define LAST_QUERIES 6
#define LAST_ROWS 7

/// What the instruction that sizes the tile registers reads.
struct alignas(64) Sizes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int64_t tile_rows, int64_t values) {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(values * 2);
  }
};

/// For heads whose last `rest` values don't fill a tile.
void size_tiles(int64_t rest) {
  Sizes sizes;
  for (const int tile : {0, 1, 2, 3, QUERIES, ROWS}) sizes.set(tile, kTileRows, kValues);
  if (rest > 0) {
    sizes.set(LAST_QUERIES, kTileRows, rest);
    sizes.set(LAST_ROWS, rest / 2, kValues);
  }
  // GCC's intrinsic owns up to reading the first eight bytes only.
  asm volatile("" : : "r"(&sizes) : "memory");
  _tile_loadconfig(&sizes);
}

// The instructions want literals as tile numbers. Rows of the bank: a pair of values of each row of
// the block, then the next pair, so that 16 rows' pairs are as far apart as the block is long.
#define LOAD_QUERIES(tile, i) \
  _tile_loadd(tile, f.queries + (i)*kTileRows * f.width + at, 2 * f.width)
#define LOAD_ROWS(tile, i) _tile_loadd(tile, values + (i)*2 * kLanes, 2 * 2 * kBlockRows)
#define ADD_PRODUCTS(query_tile, row_tile) \
  LOAD_QUERIES(query_tile, 0);             \
  LOAD_ROWS(row_tile, 0);                  \
  _tile_dpbf16ps(0, query_tile, row_tile); \
  LOAD_ROWS(row_tile, 1);                  \
  _tile_dpbf16ps(1, query_tile, row_tile); \
  LOAD_QUERIES(query_tile, 1);             \
  _tile_dpbf16ps(3, query_tile, row_tile); \
  LOAD_ROWS(row_tile, 0);                  \
  _tile_dpbf16ps(2, query_tile, row_tile)

/// The products of all queries and 2 kLanes of a block's rows, from its row `first` on; as they are
/// for whole blocks, queries x kBlockRows.
[[gnu::always_inline]] static inline void multiply(const Filter& f, int64_t block, int64_t first,
                                                   float* products) {
  const uint16_t* values = f.rows + block * kBlockRows * f.width + 2 * first;
  constexpr int64_t kRowBytes = 4 * kBlockRows;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  int64_t at = 0;
  for (; at + kValues <= f.width; at += kValues, values += kValues * kBlockRows) {
    ADD_PRODUCTS(QUERIES, ROWS);
  }
  if (at < f.width) {
    ADD_PRODUCTS(LAST_QUERIES, LAST_ROWS);
  }
  products += first;
  _tile_stored(0, products, kRowBytes);
  _tile_stored(1, products + kLanes, kRowBytes);
  _tile_stored(2, products + kTileRows * kBlockRows, kRowBytes);
  _tile_stored(3, products + kTileRows * kBlockRows + kLanes, kRowBytes);
}

void filter(const Filter& f, Candidates* candidates) {
  size_tiles(f.width % kValues);
  alignas(64) float products[kQueries * kBlockRows];
  for (int64_t block = 0; block < f.blocks; ++block) {
    for (int64_t first = 0; first < kBlockRows; first += 2 * kLanes)
      multiply(f, block, first, products);
    Simd::Vector offsets[kVectors], sums[kVectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < kVectors; ++v)
      offsets[v] = Simd::load(f.offsets + block * kBlockRows + v * kLanes);
    for (int64_t q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < kVectors; ++v)
        sums[v] = Simd::add(Simd::load(products + q * kBlockRows + v * kLanes), offsets[v]);
      pass<Simd>(sums, f.limits[q], block * kBlockRows, candidates[q]);
    }
  }
  _tile_release();
}

}  // namespace

const Kernels kAmx{kQueries, kTilesHeadWidth,        kTilesDistanceCost,
                   filter,   squared_distance<Simd>, product<Simd>};

}  // namespace patchcore::kernels
