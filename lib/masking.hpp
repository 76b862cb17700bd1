// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "image.hpp"
#include "mask.hpp"
#include "settings.hpp"

namespace patchcore {

/// What decides how a frame's copies that a fit learns (see augment()) are changed.
struct Copies {
  std::span<const Augmentation> kinds;
  uint64_t seed = 0;
  int64_t frame = 0;
};

/// Which cells of the patches' grid count in a frame and in each of its copies, which move the mask
/// along: (1 + copies) x height x width bool on the CPU.
/// region: where the input lies in the frame; input: what the network sees.
at::Tensor patches_that_count(const Mask& mask, const Rectangle& region, Size input, int64_t height,
                              int64_t width, const Copies& copies = {});

}  // namespace patchcore
