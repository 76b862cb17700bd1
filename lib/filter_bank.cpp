// SPDX-License-Identifier: LGPL-2.1-or-later
#include "filter_bank.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "error.hpp"
#include "preprocess.hpp"

namespace patchcore {
namespace {

constexpr int kOrientations = 4;
constexpr int kRadius = 4;
constexpr double kWavelength = 5.0;  // pixels of a pyramid level
constexpr double kEnvelope = 2.0;    // sigma
constexpr int kScalesALayer = 3;
constexpr int kChannels = kScalesALayer * (kOrientations + 2) + 3;
constexpr int kFineStride = 8;
constexpr double kMeanWeight = 1.0;  // of local means beside energies
constexpr double kFloor = 1e-3;      // contrast below which compression is linear

struct Coordinates {
  at::Tensor x, y;
};

Coordinates grid() {
  const at::Tensor line = at::arange(-kRadius, kRadius + 1, at::kDouble);
  return {line.unsqueeze(0).expand({line.size(0), line.size(0)}),
          line.unsqueeze(1).expand({line.size(0), line.size(0)})};
}

at::Tensor envelope(double sigma) {
  const auto [x, y] = grid();
  const at::Tensor g = ((x.square() + y.square()) / (-2 * sigma * sigma)).exp();
  return g / g.sum();
}

/// 4 x 1 x 9 x 9 without a mean, so that they don't see plain brightness.
at::Tensor gabors(bool odd) {
  const auto [x, y] = grid();
  const at::Tensor window = envelope(kEnvelope);
  std::vector<at::Tensor> kernels;
  for (int i = 0; i < kOrientations; ++i) {
    const double angle = std::numbers::pi * i / kOrientations;
    const at::Tensor phase =
        (x * std::cos(angle) + y * std::sin(angle)) * (2 * std::numbers::pi / kWavelength);
    at::Tensor kernel = window * (odd ? phase.sin() : phase.cos());
    kernels.push_back(kernel - window * kernel.sum());
  }
  return at::stack(kernels).unsqueeze(1).to(at::kFloat);
}

at::Tensor filtered(const at::Tensor& image, const at::Tensor& kernels, int groups = 1) {
  const at::Tensor padded = at::replication_pad2d(image, {kRadius, kRadius, kRadius, kRadius});
  constexpr std::array<int64_t, 2> kOnes{1, 1}, kZeros{0, 0};
  return at::conv2d(padded, kernels, {}, kOnes, kZeros, kOnes, groups);
}

/// Of the pyramid, the finest that a layer is made of.
int first_level(const FeatureLayer& layer) { return layer.stride == kFineStride ? 0 : 1; }

/// Rows: luminance (BT.601), red against green, blue against yellow, of RGB in 0..1.
const at::Tensor& opponent_matrix() {
  static const auto& matrix =
      *new at::Tensor(at::tensor({0.299f, 0.587f, 0.114f, 0.5f, -0.5f, 0.0f, -0.25f, -0.25f, 0.5f})
                          .reshape({3, 3}));
  return matrix;
}

at::Tensor halved(const at::Tensor& image) { return at::avg_pool2d(image, {2, 2}); }

at::Tensor pooled(const at::Tensor& image, int step) {
  return step == 1 ? image : at::avg_pool2d(image, {step, step});
}

}  // namespace

std::vector<FeatureLayer> FilterBank::all_layers() {
  return {{"fine", kChannels, kFineStride}, {"coarse", kChannels, 2 * kFineStride}};
}

FilterBank::FilterBank(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                       c10::Device device)
    : Backbone(options, std::move(chosen), device, "builtin-1"),
      to_opponent_((opponent_matrix() * Preprocess::deviation()).reshape({3, 3, 1, 1}).to(device)),
      opponent_bias_(opponent_matrix().mv(Preprocess::mean()).to(device)),
      even_(gabors(/*odd=*/false).to(device)),
      odd_(gabors(/*odd=*/true).to(device)),
      contrast_((envelope(1.0) - envelope(kEnvelope)).to(at::kFloat).to(device)) {}

at::Tensor FilterBank::energies(const at::Tensor& opponent) const {
  const at::Tensor luminance = opponent.slice(1, 0, 1);
  const at::Tensor oriented =
      filtered(luminance, even_).square_().add_(filtered(luminance, odd_).square_());
  const at::Tensor kernels = contrast_.expand({2, 1, contrast_.size(0), contrast_.size(1)});
  const at::Tensor colour = filtered(opponent.slice(1, 1, 3), kernels, /*groups=*/2).square_();
  return at::cat({oriented, colour}, 1).add_(kFloor * kFloor).sqrt_().sub_(kFloor).sqrt_();
}

/// Image by image: what lies between the filters then stays in a cache, where a batch's would be
/// written to memory and read again.
std::vector<at::Tensor> FilterBank::features(const at::Tensor& input) const {
  std::vector<std::vector<at::Tensor>> layers(this->layers().size());
  for (const at::Tensor& image : input.to(device()).contiguous().split(1)) {
    const auto outputs = features_of(image);
    for (size_t i = 0; i < outputs.size(); ++i) layers[i].push_back(outputs[i]);
  }
  std::vector<at::Tensor> batch;
  for (const auto& layer : layers) batch.push_back(at::cat(layer));
  return batch;
}

std::vector<at::Tensor> FilterBank::features_of(const at::Tensor& image) const {
  std::vector<at::Tensor> images{at::conv2d(image, to_opponent_, opponent_bias_)};
  std::vector<at::Tensor> levels;
  const int least = first_level(layers().front());
  const int levels_needed = first_level(layers().back()) + kScalesALayer;
  for (int level = 0; level < levels_needed; ++level) {
    if (level > 0) images.push_back(halved(images.back()));
    levels.push_back(level < least ? at::Tensor() : energies(images.back()));
  }
  std::vector<at::Tensor> outputs;
  for (const FeatureLayer& layer : layers()) {
    const int first = first_level(layer), stride = layer.stride;
    std::vector<at::Tensor> parts;
    for (int level = first; level < first + kScalesALayer; ++level)
      parts.push_back(pooled(levels[level], stride >> level));
    parts.push_back(pooled(images[first], stride >> first) * kMeanWeight);
    outputs.push_back(at::cat(parts, 1));
  }
  return outputs;
}

}  // namespace patchcore
