// SPDX-License-Identifier: LGPL-2.1-or-later
#include "resnet.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace patchcore {
namespace {

constexpr int kStages = 4;
constexpr int kStemStride = 4;  // of the first convolution and the pooling behind it

struct Architecture {
  const char* name;
  std::array<int, kStages> blocks;
  bool bottleneck;
  int width;  ///< channels inside a block of the first stage

  int inner(int stage) const { return width << stage; }
  int channels(int stage) const { return (bottleneck ? 256 : 64) << stage; }
};

constexpr std::array<Architecture, 3> kArchitectures{{
    {"resnet18", {2, 2, 2, 2}, false, 64},
    {"resnet50", {3, 4, 6, 3}, true, 64},
    {"wide_resnet50_2", {3, 4, 6, 3}, true, 128},
}};

const Architecture& architecture(const std::string& name) {
  return *std::find_if(kArchitectures.begin(), kArchitectures.end(),
                       [&](const Architecture& a) { return name == a.name; });
}

std::string stage_name(int stage) { return "layer" + std::to_string(stage + 1); }

}  // namespace

ResNet::Block ResNet::read_block(ConvolutionReader& reader, const std::string& prefix, int stage,
                                 int stride, int in) const {
  const Architecture& net = architecture(options().name);
  Block block;
  const int out = net.channels(stage);
  const int convolutions = net.bottleneck ? 3 : 2;
  const int strided = net.bottleneck ? 1 : 0;
  const int first_step = (kStemStride << stage) / stride;
  int channels = in, step = first_step;
  for (int i = 0; i < convolutions; ++i) {
    const std::string n = std::to_string(i + 1);
    const int side = net.bottleneck && i != 1 ? 1 : 3;
    const int next = i + 1 == convolutions ? out : net.inner(stage);
    const ConvolutionShape shape{channels, next, side, step, i == strided ? stride : 1};
    block.path.push_back(reader.read(prefix + ".conv" + n, prefix + ".bn" + n, shape));
    channels = next;
    step *= shape.stride;
  }
  if (stride != 1 || in != out)
    block.shortcut.push_back(reader.read(prefix + ".downsample.0", prefix + ".downsample.1",
                                         {in, out, 1, first_step, stride}));
  return block;
}

const std::vector<std::string>& ResNet::names() {
  static const auto& names =
      *new std::vector<std::string>{"resnet18", "resnet50", "wide_resnet50_2"};
  return names;
}

std::vector<FeatureLayer> ResNet::all_layers(const std::string& name) {
  std::vector<FeatureLayer> layers;
  for (int stage = 0; stage < kStages; ++stage)
    layers.push_back({stage_name(stage), architecture(name).channels(stage), kStemStride << stage});
  return layers;
}

ResNet::ResNet(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device,
               std::string weights_id)
    : Backbone(options, std::move(chosen), device, std::move(weights_id)) {
  const Architecture& net = architecture(options.name);
  ConvolutionReader reader(options, device);
  stem_ = reader.read("conv1", "bn1", {3, 64, 7, 1, 2});
  int channels = 64;
  for (int stage = 0; stage_name(stage) <= layers().back().name && stage < kStages; ++stage) {
    std::vector<Block> blocks;
    for (int i = 0; i < net.blocks[stage]; ++i) {
      blocks.push_back(read_block(reader, stage_name(stage) + "." + std::to_string(i), stage,
                                  i == 0 && stage > 0 ? 2 : 1, channels));
      channels = net.channels(stage);
    }
    stages_.push_back(std::move(blocks));
    wanted_.push_back(std::any_of(layers().begin(), layers().end(), [&](const FeatureLayer& l) {
      return l.name == stage_name(stage);
    }));
  }
}

at::Tensor ResNet::Block::operator()(const at::Tensor& x) const {
  at::Tensor y = x;
  for (size_t i = 0; i + 1 < path.size(); ++i) y = path[i](y, Activation::ReLU);
  const at::Tensor skipped = shortcut.empty() ? x : shortcut[0](x, Activation::None);
  return path.back().plus(y, skipped, Activation::ReLU);
}

std::vector<at::Tensor> ResNet::features(const at::Tensor& input) const {
  at::Tensor x = stem_(stem_.prepared(input), Activation::ReLU);
  x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
  std::vector<at::Tensor> outputs;
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    for (const auto& block : stages_[stage]) x = block(x);
    // No later block writes its sum over this: the next one has a shortcut.
    if (wanted_[stage]) outputs.push_back(x);
  }
  return outputs;
}

}  // namespace patchcore
