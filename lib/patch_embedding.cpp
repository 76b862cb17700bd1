// SPDX-License-Identifier: LGPL-2.1-or-later
#include "patch_embedding.hpp"

#include <ATen/ATen.h>

#include "cuda/features.hpp"
#include "cuda/module.hpp"

namespace patchcore {
namespace {

at::Tensor resample(const at::Tensor& map, at::IntArrayRef size, Interpolation method) {
  if (map.size(2) == size[0] && map.size(3) == size[1]) return map;
  return method == Interpolation::Bilinear
             ? at::upsample_bilinear2d(map, size, /*align_corners=*/false)
             : at::upsample_nearest2d(map, size);
}

at::Tensor average(const at::Tensor& map, int size) {
  return at::avg_pool2d(map, {size, size}, {1, 1}, {(size - 1) / 2, (size - 1) / 2},
                        /*ceil_mode=*/false, /*count_include_pad=*/true);
}

/// N x C x H x W -> N x width x H x W: each patch's C * size * size values adaptively averaged.
at::Tensor pool_neighbourhood(const at::Tensor& map, int size, int width) {
  const at::Tensor columns =
      at::im2col(map, {size, size}, {1, 1}, {(size - 1) / 2, (size - 1) / 2}, {1, 1});
  return at::adaptive_avg_pool1d(columns.transpose(1, 2).contiguous(), width)
      .transpose(1, 2)
      .reshape({map.size(0), width, map.size(2), map.size(3)});
}

/// 1024 out of layers of 512 and 1024 channels and patches of 3 x 3, as wide_resnet50_2 has them:
/// pooling 4608 values to 1024 and those pairwise to 512 weighs the centre twice, a tenth each;
/// pooling 9216 to 1024 is the plain mean of each channel.
bool has_closed_form(const std::vector<at::Tensor>& features, const Settings& s) {
  return s.layer_width == 1024 && s.embedding_width == 1024 && s.patch_size == 3 &&
         features.size() == 2 && features[0].size(1) == 512 && features[1].size(1) == 1024;
}

std::vector<at::Tensor> closed_form(const std::vector<at::Tensor>& features) {
  const at::Tensor fine = average(features[0], 3).mul_(0.9).add_(features[0], 0.1);
  const at::Tensor pairs = average(features[1], 3).unflatten(1, {512, 2}).mean(2);
  return {fine, pairs};
}

}  // namespace

Embedding PatchEmbedding::operator()(const std::vector<at::Tensor>& features) const {
  if (const auto* kernels = features.front().is_cuda() ? cuda::kernels() : nullptr)
    if (auto embedding = cuda::embed(features, settings_, *kernels)) return *embedding;
  const at::Tensor joined = settings_.neighbourhood == Neighbourhood::AveragePool
                                ? averaged(features)
                                : adaptively_pooled(features);
  const at::Tensor& finest = features.front();
  return {joined.permute({0, 2, 3, 1}).reshape({-1, joined.size(1)}).contiguous(), finest.size(0),
          finest.size(2), finest.size(3)};
}

at::Tensor PatchEmbedding::averaged(const std::vector<at::Tensor>& features) const {
  const at::IntArrayRef grid = features.front().sizes().slice(2);
  std::vector<at::Tensor> layers;
  for (const auto& map : features)
    layers.push_back(resample(average(map, settings_.patch_size), grid, settings_.merge));
  return at::cat(layers, 1);
}

at::Tensor PatchEmbedding::adaptively_pooled(const std::vector<at::Tensor>& features) const {
  const at::IntArrayRef grid = features.front().sizes().slice(2);
  const bool closed = has_closed_form(features, settings_);
  std::vector<at::Tensor> layers;
  if (closed) {
    layers = closed_form(features);
  } else {
    for (const auto& map : features)
      layers.push_back(pool_neighbourhood(map, settings_.patch_size, settings_.layer_width));
  }
  for (auto& layer : layers) layer = resample(layer, grid, settings_.merge);
  const at::Tensor joined = at::cat(layers, 1);
  if (closed) return joined;
  const at::Tensor pooled = at::adaptive_avg_pool1d(joined.flatten(2).transpose(1, 2).contiguous(),
                                                    settings_.embedding_width);
  return pooled.transpose(1, 2).unflatten(2, {grid[0], grid[1]});
}

}  // namespace patchcore
