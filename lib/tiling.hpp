// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "image.hpp"
#include "settings.hpp"

namespace patchcore {

/// Where the network looks at an input that it doesn't take whole: tiles of one size, at equal
/// distances as far as the stride allows, that overlap by what the settings ask for or more, the
/// first and the last at the input's edges.
class Tiling {
 public:
  /// One tile, the whole input, where the settings want none or it is no larger than one. stride:
  /// the network's coarsest, which places are multiples of, as input and tile are (see Preprocess).
  Tiling(const Settings& settings, Size input, int stride);

  size_t count() const { return places_.size(); }
  Size tile() const { return tile_; }
  const std::vector<Place>& places() const { return places_; }  ///< pixels; row by row

  /// N x C x H x W to (N * count()) x C x tile().height x tile().width: an image's tiles together.
  at::Tensor cut(const at::Tensor& images) const;

 private:
  Size tile_;
  std::vector<Place> places_;
};

}  // namespace patchcore
