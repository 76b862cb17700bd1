// SPDX-License-Identifier: LGPL-2.1-or-later
#include "patch_embedding.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

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

/// Adaptive averages along the middle dimension, N x L x P -> N x width x P: of each of the N * P
/// lines of L values what torch's AdaptiveAvgPool1d makes of it.
at::Tensor adaptively_averaged(const at::Tensor& values, int64_t width) {
  const int64_t length = values.size(1), places = values.size(2);
  if (!values.is_cpu()) return at::adaptive_avg_pool2d(values, {width, places});
  // All places of a line together: ATen's operator goes value by value, and takes ten times as
  // long.
  const at::Tensor all = values.contiguous();
  at::Tensor means = at::empty({values.size(0), width, places}, at::kFloat);
  const float* const in = all.const_data_ptr<float>();
  float* const out = means.data_ptr<float>();
  at::parallel_for(0, values.size(0) * width, /*grain_size=*/64, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t image = i / width, k = i % width;
      const int64_t first = k * length / width, last = ((k + 1) * length + width - 1) / width;
      const float* line = in + (image * length + first) * places;
      float* const mean = out + i * places;
      std::copy_n(line, places, mean);
      for (int64_t j = first + 1; j < last; ++j) {
        line += places;
        for (int64_t p = 0; p < places; ++p) mean[p] += line[p];
      }
      for (int64_t p = 0; p < places; ++p) mean[p] /= static_cast<float>(last - first);
    }
  });
  return means;
}

/// N x C x H x W -> N x width x H x W: each patch's C * size * size values adaptively averaged.
at::Tensor pool_neighbourhood(const at::Tensor& map, int size, int width) {
  const at::Tensor columns =
      at::im2col(map, {size, size}, {1, 1}, {(size - 1) / 2, (size - 1) / 2}, {1, 1});
  return adaptively_averaged(columns, width).unflatten(2, {map.size(2), map.size(3)});
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

Place Embedding::place(int64_t patch) const {
  const Place& tile = tiles[static_cast<size_t>(patch / (height * width))];
  const int64_t within = patch % (height * width);
  return {tile.y + within / width, tile.x + within % width};
}

at::Tensor Embedding::joined(const at::Tensor& values) const {
  if (tiles.size() == 1) return values.reshape({-1, height, width});
  const at::Tensor parts = values.reshape({values.size(0), -1, height, width});
  at::Tensor sum = at::zeros({values.size(0), grid_height(), grid_width()}, values.options());
  at::Tensor count = at::zeros({grid_height(), grid_width()}, values.options());
  for (size_t i = 0; i < tiles.size(); ++i) {
    const auto part_of = [&](const at::Tensor& whole) {
      return whole.narrow(-2, tiles[i].y, height).narrow(-1, tiles[i].x, width);
    };
    part_of(sum).add_(parts.select(1, static_cast<int64_t>(i)));
    part_of(count).add_(1);
  }
  return sum.div_(count);
}

at::Tensor Embedding::spread(const at::Tensor& grids) const {
  std::vector<at::Tensor> parts;
  for (const Place& tile : tiles)
    parts.push_back(grids.narrow(1, tile.y, height).narrow(2, tile.x, width).flatten(1));
  return at::cat(parts, 1).flatten();
}

at::Tensor Embedding::cells() const {
  return spread(at::arange(grid_height() * grid_width())
                    .reshape({1, grid_height(), grid_width()})
                    .expand({images, -1, -1}));
}

at::Tensor Embedding::counted_patches() const {
  return counted.defined() ? at::nonzero(spread(counted)).flatten() : at::Tensor();
}

at::Tensor Embedding::that_count(const at::Tensor& values) const {
  const at::Tensor patches = counted_patches();
  return patches.defined() ? values.index_select(0, patches.to(values.device())) : values;
}

Embedding PatchEmbedding::operator()(const std::vector<at::Tensor>& maps) const {
  if (const auto* kernels = maps.front().is_cuda() ? cuda::kernels() : nullptr)
    if (auto embedding = cuda::embed(maps, settings_, *kernels)) return *embedding;
  std::vector<at::Tensor> features;
  for (const auto& map : maps) features.push_back(map.to(at::kFloat));
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
  return adaptively_averaged(joined.flatten(2), settings_.embedding_width)
      .unflatten(2, {grid[0], grid[1]});
}

}  // namespace patchcore
