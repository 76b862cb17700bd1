// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scoring.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace patchcore {
namespace {

at::Tensor one_minus_share(const at::Tensor& distance, const at::Tensor& distances) {
  return (distance - at::logsumexp(distances, {-1})).expm1_().neg_();
}

/// Where position `i` of a line of `length` that is continued by reflection lies.
int64_t reflected(int64_t i, int64_t length, Border border) {
  if (length == 1) return 0;
  const int64_t period = border == Border::Symmetric ? 2 * length : 2 * length - 2;
  i = ((i % period) + period) % period;
  if (i < length) return i;
  return border == Border::Symmetric ? period - 1 - i : period - i;
}

at::Tensor padded(const at::Tensor& map, int64_t dimension, int64_t radius, Border border) {
  const int64_t length = map.size(dimension);
  std::vector<int64_t> index(length + 2 * radius);
  for (size_t i = 0; i < index.size(); ++i)
    index[i] = reflected(static_cast<int64_t>(i) - radius, length, border);
  return map.index_select(dimension, at::tensor(index, at::kLong).to(map.device()));
}

at::Tensor gaussian(double sigma, int64_t radius) {
  const at::Tensor x = at::arange(-radius, radius + 1, at::kDouble);
  const at::Tensor weights = (x.square() / (-2 * sigma * sigma)).exp();
  return (weights / weights.sum()).to(at::kFloat);
}

at::Tensor blurred(const at::Tensor& map, double sigma, Border border) {
  const auto radius = static_cast<int64_t>(4 * sigma + 0.5);  // scipy's truncation; 33 at sigma 4
  const at::Tensor kernel = gaussian(sigma, radius).to(map.device());
  const at::Tensor rows = at::conv2d(padded(map, 2, radius, border), kernel.reshape({1, 1, -1, 1}));
  return at::conv2d(padded(rows, 3, radius, border), kernel.reshape({1, 1, 1, -1}));
}

}  // namespace

at::Tensor reweighting(const at::Tensor& distances) {
  const at::Tensor nearest = distances.select(-1, 0);
  return distances.size(-1) == 1 ? at::ones_like(nearest) : one_minus_share(nearest, distances);
}

at::Tensor reweighted_score(const at::Tensor& distances) {
  return reweighting(distances) * distances.select(-1, 0);
}

at::Tensor article_score(const at::Tensor& distances) {
  const at::Tensor nearest = distances.amin(-1);
  return distances.size(-1) == 1 ? nearest
                                 : one_minus_share(distances.amax(-1), distances) * nearest;
}

int64_t patch_values_need(const Settings& settings, int64_t bank_rows) {
  return std::min<int64_t>(settings.patch_neighbours, bank_rows);
}

at::Tensor patch_values(const Settings& settings, const Neighbours& nearest) {
  const at::Tensor& d = nearest.distances;
  const at::Tensor values = settings.distance == Distance::SquaredL2 ? d.square() : d;
  return values.size(1) == 1 ? values.select(1, 0) : values.mean(1);
}

at::Tensor anomaly_map(const Settings& settings, const at::Tensor& patches, Size input) {
  return anomaly_maps(settings, patches.unsqueeze(0), input)[0];
}

at::Tensor anomaly_maps(const Settings& settings, const at::Tensor& patches, Size input) {
  const at::Tensor grid = patches.unsqueeze(1);
  const std::array<int64_t, 2> size{input.height, input.width};
  const at::Tensor map = settings.map_upsampling == Interpolation::Bilinear
                             ? at::upsample_bilinear2d(grid, size, /*align_corners=*/false)
                             : at::upsample_nearest2d(grid, size);
  if (settings.map_sigma <= 0) return map.select(1, 0);
  return blurred(map, settings.map_sigma, settings.map_border).select(1, 0);
}

}  // namespace patchcore
