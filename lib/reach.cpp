// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reach.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>

namespace patchcore {
namespace {

/// Sets what lies within `radius` of something that is set, on a line of `count` bytes that are
/// `step` apart.
void dilate(uint8_t* line, int64_t count, int64_t step, int64_t radius) {
  std::vector<int64_t> set;
  for (int64_t i = 0; i < count; ++i)
    if (line[i * step]) set.push_back(i);
  int64_t next = 0;  // not set so far
  for (const int64_t i : set) {
    for (next = std::max(next, i - radius); next < count && next <= i + radius; ++next)
      line[next * step] = 1;
  }
}

/// A row's cells as bytes, with those in reach of them.
void unpack(const uint8_t* bits, Size grid, int64_t radius, std::vector<uint8_t>& cells) {
  for (size_t c = 0; c < cells.size(); ++c) cells[c] = bits[c / 8] >> c % 8 & 1;
  for (int64_t y = 0; y < grid.height; ++y)
    dilate(cells.data() + y * grid.width, grid.width, 1, radius);
  for (int64_t x = 0; x < grid.width; ++x)
    dilate(cells.data() + x, grid.height, grid.width, radius);
}

}  // namespace

Reach::Reach(const Positions& positions, int radius, const Monitor& monitor)
    : grid_(positions.grid),
      rows_(positions.bits.size(0)),
      bits_(at::zeros({positions.cells(), (rows_ + kWordRows - 1) / kWordRows}, at::kLong)),
      words_(reinterpret_cast<const uint64_t*>(bits_.const_data_ptr<int64_t>())),
      counts_(static_cast<size_t>(positions.cells())) {
  auto* words = reinterpret_cast<uint64_t*>(bits_.data_ptr<int64_t>());
  const int64_t stride = bits_.size(1), bytes = positions.bits.size(1);
  const auto* bits = positions.bits.const_data_ptr<uint8_t>();
  SharedMonitor shared(monitor);
  // Word by word, so that no two threads write to one.
  at::parallel_for(0, stride, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> cells(counts_.size());
    for (int64_t row = begin * kWordRows; row < std::min(end * kWordRows, rows_); ++row) {
      shared.check();
      unpack(bits + row * bytes, grid_, radius, cells);
      for (size_t c = 0; c < cells.size(); ++c)
        words[static_cast<int64_t>(c) * stride + row / kWordRows] |= uint64_t{cells[c]}
                                                                     << row % kWordRows;
    }
  });
  for (size_t c = 0; c < counts_.size(); ++c)
    for (int64_t w = 0; w < stride; ++w)
      counts_[c] += std::popcount(words_[static_cast<int64_t>(c) * stride + w]);
}

at::Tensor Reach::mask(const at::Tensor& cells) const {
  const at::Tensor mask = at::empty({cells.size(0), rows_}, at::kBool);
  auto* out = mask.data_ptr<bool>();
  const auto cell = cells.accessor<int64_t, 1>();
  for (int64_t i = 0; i < cells.size(0); ++i, out += rows_) {
    const auto of_cell = words(cell[i]);
    for (int64_t r = 0; r < rows_; ++r)
      out[r] = of_cell[static_cast<size_t>(r / kWordRows)] >> r % kWordRows & 1;
  }
  return mask;
}

}  // namespace patchcore
