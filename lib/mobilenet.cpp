// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mobilenet.hpp"

#include <ATen/ATen.h>

#include <array>

namespace patchcore {
namespace {

/// Table 2 of the paper: t, c, n, s.
struct Stage {
  int expansion, channels, blocks, stride;
};

constexpr std::array<Stage, 7> kStages{{{1, 16, 1, 1},
                                        {6, 24, 2, 2},
                                        {6, 32, 3, 2},
                                        {6, 64, 4, 2},
                                        {6, 96, 3, 1},
                                        {6, 160, 3, 2},
                                        {6, 320, 1, 1}}};
constexpr int kStemChannels = 32, kStemStride = 2;

std::string block_name(int index) { return "features." + std::to_string(index); }

/// in, step: channels that come in, and input pixels a step.
std::vector<Convolution> read_path(ConvolutionReader& reader, const std::string& block, int in,
                                   int step, const Stage& stage, int stride) {
  const int inner = in * stage.expansion;
  std::vector<Convolution> path;
  int index = 0;
  const auto read_activated = [&](const ConvolutionShape& shape) {
    const std::string name = block + ".conv." + std::to_string(index++);
    path.push_back(reader.read(name + ".0", name + ".1", shape));
  };
  if (stage.expansion != 1) read_activated({in, inner, 1, step});
  read_activated({inner, inner, 3, step, stride, /*groups=*/inner});
  const std::string linear = block + ".conv.";
  path.push_back(reader.read(linear + std::to_string(index), linear + std::to_string(index + 1),
                             {inner, stage.channels, 1, step * stride}));
  return path;
}

}  // namespace

std::vector<FeatureLayer> MobileNetV2::all_layers() {
  std::vector<FeatureLayer> layers;
  int index = 0, stride = kStemStride;
  for (const Stage& stage : kStages) {
    index += stage.blocks;
    stride *= stage.stride;
    layers.push_back({block_name(index), stage.channels, stride});
  }
  return layers;
}

MobileNetV2::MobileNetV2(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                         c10::Device device, std::string weights_id)
    : Backbone(options, std::move(chosen), device, std::move(weights_id)) {
  ConvolutionReader reader(options, device);
  stem_ = reader.read("features.0.0", "features.0.1", {3, kStemChannels, 3, 1, kStemStride});
  int in = kStemChannels, step = kStemStride, index = 0;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.blocks; ++i) {
      if (!blocks_.empty() && blocks_.back().name == layers().back().name) return;
      const int stride = i == 0 ? stage.stride : 1;
      const std::string name = block_name(++index);
      blocks_.push_back({name, read_path(reader, name, in, step, stage, stride),
                         stride == 1 && in == stage.channels});
      in = stage.channels;
      step *= stride;
    }
  }
}

at::Tensor MobileNetV2::Block::operator()(const at::Tensor& x) const {
  at::Tensor y = x;
  for (size_t i = 0; i + 1 < path.size(); ++i) y = path[i](y, Activation::ReLU6);
  return residual ? path.back().plus(y, x, Activation::None) : path.back()(y, Activation::None);
}

std::vector<at::Tensor> MobileNetV2::features(const at::Tensor& input) const {
  at::Tensor x = stem_(stem_.prepared(input), Activation::ReLU6);
  std::vector<at::Tensor> outputs;
  for (const Block& block : blocks_) {
    x = block(x);
    // No later block writes its sum over this: what ends a stage goes into a block without one.
    if (block.name == layers()[outputs.size()].name) outputs.push_back(x);
  }
  return outputs;
}

}  // namespace patchcore
