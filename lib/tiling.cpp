// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tiling.hpp"

#include <ATen/ops/stack.h>

#include <algorithm>

namespace patchcore {
namespace {

/// Where tiles of `side` begin along a line of `length`, both multiples of the stride.
std::vector<int64_t> starts(int length, int side, int overlap, int stride) {
  const int room = length - side, step = std::max(stride, (side - overlap) / stride * stride);
  const int gaps = (room + step - 1) / step;
  std::vector<int64_t> found;
  // Rounded down to the stride, two neighbours are never farther apart than a step.
  for (int i = 0; i <= gaps; ++i)
    found.push_back(gaps == 0 ? 0 : int64_t{room / stride} * i / gaps * stride);
  return found;
}

}  // namespace

Tiling::Tiling(const Settings& settings, Size input, int stride) : tile_(input) {
  const int side = settings.tile_size;
  if (side == 0) {
    places_.emplace_back();
    return;
  }
  tile_ = {std::min(side, input.width), std::min(side, input.height)};
  for (const int64_t y : starts(input.height, tile_.height, settings.tile_overlap, stride))
    for (const int64_t x : starts(input.width, tile_.width, settings.tile_overlap, stride))
      places_.push_back({y, x});
}

at::Tensor Tiling::cut(const at::Tensor& images) const {
  if (count() == 1) return images;
  std::vector<at::Tensor> tiles;
  for (const Place& place : places_)
    tiles.push_back(
        images.slice(2, place.y, place.y + tile_.height).slice(3, place.x, place.x + tile_.width));
  return at::stack(tiles, 1).flatten(0, 1);
}

}  // namespace patchcore
