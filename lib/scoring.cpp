// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scoring.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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

std::vector<double> gaussian(double sigma) {
  if (sigma <= 0) return {1};
  const auto radius = static_cast<int64_t>(4 * sigma + 0.5);  // scipy's truncation; 33 at sigma 4
  std::vector<double> weights;
  for (int64_t x = -radius; x <= radius; ++x)
    weights.push_back(std::exp(-static_cast<double>(x * x) / (2 * sigma * sigma)));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// A pixel's share of two cells, of one and the same where it has but one.
struct Source {
  int64_t first, second;
  double share;  ///< of the second
};

/// Where torch's interpolation without aligned corners takes a pixel from.
Source source_of(int64_t pixel, int64_t pixels, int64_t cells, Interpolation method) {
  const float scale = static_cast<float>(cells) / static_cast<float>(pixels);
  if (method == Interpolation::Nearest) {
    const auto cell = static_cast<int64_t>(static_cast<float>(pixel) * scale);
    return {std::min(cell, cells - 1), std::min(cell, cells - 1), 0};
  }
  const float at = std::max((static_cast<float>(pixel) + 0.5f) * scale - 0.5f, 0.f);
  const auto cell = std::min(static_cast<int64_t>(at), cells - 1);
  return {cell, std::min(cell + 1, cells - 1), at - static_cast<double>(cell)};
}

/// Upsampling and blur of a line as one matrix, pixels x cells.
at::Tensor spread(const Settings& settings, int64_t cells, int64_t pixels) {
  const std::vector<double> kernel = gaussian(settings.map_sigma);
  const auto radius = static_cast<int64_t>(kernel.size() / 2);
  std::vector<Source> sources;
  for (int64_t i = -radius; i < pixels + radius; ++i)
    sources.push_back(source_of(reflected(i, pixels, settings.map_border), pixels, cells,
                                settings.map_upsampling));
  const at::Tensor matrix = at::zeros({pixels, cells}, at::kDouble);
  auto* row = matrix.data_ptr<double>();
  for (int64_t i = 0; i < pixels; ++i, row += cells)
    for (size_t tap = 0; tap < kernel.size(); ++tap) {
      const Source& source = sources[static_cast<size_t>(i) + tap];
      row[source.first] += kernel[tap] * (1 - source.share);
      row[source.second] += kernel[tap] * source.share;
    }
  return matrix.to(at::kFloat);
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

at::Tensor anomaly_maps(const Settings& settings, const at::Tensor& patches, Size input,
                        const at::Tensor& counted) {
  const at::Tensor down = spread(settings, patches.size(1), input.height).to(patches.device());
  const at::Tensor across = spread(settings, patches.size(2), input.width).to(patches.device());
  const auto blurred = [&](const at::Tensor& grids) {
    return at::matmul(at::matmul(down, grids), across.t());
  };
  if (!counted.defined()) return blurred(patches);
  const at::Tensor weights = counted.to(patches.device(), at::kFloat);
  const at::Tensor pixels =
      at::upsample_nearest2d(weights.unsqueeze(1), {input.height, input.width}).squeeze(1);
  return at::where(pixels.gt(0), blurred(patches * weights) / blurred(weights),
                   at::zeros({}, patches.options()));
}

}  // namespace patchcore
