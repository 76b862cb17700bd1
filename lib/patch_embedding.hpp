// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "image.hpp"
#include "settings.hpp"

namespace patchcore {

/// The feature maps of some images as one vector a patch. Images that were looked at in tiles have
/// the patches of each, more than once where these overlap.
struct Embedding {
  at::Tensor rows;  ///< (images * patches()) x D float, ordered by image, tile, y, x
  int64_t images = 0;
  int64_t height = 0;  ///< patches of a tile: the finest layer's grid
  int64_t width = 0;
  std::vector<Place> tiles{1};  ///< in patches of the whole image; one: it was looked at whole
  at::Tensor counted{};  ///< images x grid_height() x grid_width() bool: patches that count, by a
                         ///< mask; undefined: all

  /// Of an image.
  int64_t patches() const { return static_cast<int64_t>(tiles.size()) * height * width; }

  /// Patches of the whole image, each counted once: those of the tiles side by side.
  int64_t grid_height() const { return tiles.back().y + height; }
  int64_t grid_width() const { return tiles.back().x + width; }
  Size grid() const { return {static_cast<int>(grid_width()), static_cast<int>(grid_height())}; }

  /// Where an image's patch lies in the grid.
  Place place(int64_t patch) const;

  /// images x patches() values to images x grid_height() x grid_width(): the mean where tiles
  /// overlap.
  at::Tensor joined(const at::Tensor& values) const;

  /// What there is one of for each place of the grid (images x grid_height() x grid_width()), for
  /// each patch: images * patches().
  at::Tensor spread(const at::Tensor& grids) const;

  /// Each patch's cell of the grid, y * grid_width() + x: images * patches() int64 on the CPU.
  at::Tensor cells() const;

  /// The patches that count, n int64 on the CPU; undefined: all.
  at::Tensor counted_patches() const;

  /// Of what there is one of for each patch, such as rows, those of the patches that count; shares
  /// memory where that is all.
  at::Tensor that_count(const at::Tensor& values) const;

  /// The rows of one image, sharing memory.
  at::Tensor image(int64_t index) const { return of_image(rows, index); }

  /// Those of one image out of what there is one of for each patch.
  at::Tensor of_image(const at::Tensor& values, int64_t index) const {
    return values.slice(0, index * patches(), (index + 1) * patches());
  }
};

/// Locally aware patch features, section 3.1 of the paper: each layer is averaged over
/// patch_size x patch_size neighbourhoods without losing resolution, coarser layers are brought to
/// the finest one's grid, and all are joined.
class PatchEmbedding {
 public:
  explicit PatchEmbedding(const Settings& settings) : settings_(settings) {}

  /// `maps`: N x C x H x W a layer, finest first, of any floating type and memory format; averaged
  /// and joined as float, soonest where they are channels last, as the rows are.
  Embedding operator()(const std::vector<at::Tensor>& maps) const;

 private:
  at::Tensor averaged(const std::vector<at::Tensor>& features) const;
  at::Tensor adaptively_pooled(const std::vector<at::Tensor>& features) const;

  Settings settings_;
};

}  // namespace patchcore
