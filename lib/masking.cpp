// SPDX-License-Identifier: LGPL-2.1-or-later
#include "masking.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "augmentation.hpp"

namespace patchcore {
namespace {

constexpr float kCounts = 255;

bool moves(Augmentation kind) { return kind != Augmentation::Brightness; }

/// A mask as a picture at the input's size, which can be changed as the frame is.
std::vector<float> picture_of(const Mask& mask, const Rectangle& region, Size input) {
  const at::Tensor pixels = mask.cells(region, input.height, input.width);
  const at::Tensor rgb = pixels.unsqueeze(-1).expand({-1, -1, 3}).to(at::kFloat).mul(kCounts);
  const at::Tensor packed = rgb.contiguous();
  const auto* first = packed.const_data_ptr<float>();
  return {first, first + packed.numel()};
}

}  // namespace

at::Tensor patches_that_count(const Mask& mask, const Rectangle& region, Size input, int64_t height,
                              int64_t width, const Copies& copies) {
  std::vector<at::Tensor> grids{mask.cells(region, height, width)};
  std::vector<float> picture, changed;
  for (const Augmentation kind : copies.kinds) {
    if (!moves(kind)) {
      grids.push_back(grids.front());
      continue;
    }
    if (picture.empty()) picture = picture_of(mask, region, input);
    changed.resize(picture.size());
    augment(kind, picture.data(), input, copies.seed, copies.frame, changed.data());
    const at::Tensor pixels =
        at::from_blob(changed.data(), {1, input.height, input.width, 3}, at::kFloat).select(3, 0);
    grids.push_back(at::adaptive_avg_pool2d(pixels, {height, width})[0].ge(kCounts / 2));
  }
  return at::stack(grids);
}

}  // namespace patchcore
