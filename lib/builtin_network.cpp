// SPDX-License-Identifier: LGPL-2.1-or-later
#include "builtin_network.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "sha256.hpp"

// network.safetensors, see builtin/embedded.S.
extern "C" const char patchcore_builtin_begin, patchcore_builtin_end;

namespace patchcore {
namespace {

/// As in builtin/network.py.
struct StageShape {
  int channels, blocks;
  const char* layer;  ///< null: none ends here
  int components;     ///< of the layer
};

constexpr int kStemChannels = 24, kStemStride = 2;
constexpr std::array<StageShape, 3> kStages{
    {{48, 1, nullptr, 0}, {96, 2, "fine", 64}, {144, 1, "coarse", 96}}};

std::string_view embedded() {
  return {&patchcore_builtin_begin,
          static_cast<size_t>(&patchcore_builtin_end - &patchcore_builtin_begin)};
}

/// The same for the same weights, as a file's SHA-256.
const std::string& embedded_id() {
  static const auto& id = *[] {
    Sha256 sum;
    sum.update(embedded().data(), embedded().size());
    return new std::string(sum.hex());
  }();
  return id;
}

}  // namespace

std::vector<FeatureLayer> BuiltinNetwork::all_layers() {
  std::vector<FeatureLayer> layers;
  int stride = kStemStride;
  for (const StageShape& stage : kStages) {
    stride *= 2;
    if (stage.layer) layers.push_back({stage.layer, stage.components, stride});
  }
  return layers;
}

BuiltinNetwork::BuiltinNetwork(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                               c10::Device device)
    : Backbone(options, std::move(chosen), device, embedded_id()) {
  ConvolutionReader reader(WeightsFile("the built-in network", embedded()), options, device);
  stem_ = reader.read("stem", {3, kStemChannels, 3, 1, kStemStride});
  int in = kStemChannels, step = kStemStride;
  for (size_t i = 0; step < stride(); ++i) {
    const StageShape& shape = kStages[i];
    const std::string name = "stages." + std::to_string(i);
    Stage stage{reader.read(name + ".down", {in, shape.channels, 3, step, 2}), {}, {}};
    in = shape.channels;
    step *= 2;
    for (int block = 0; block < shape.blocks; ++block) {
      const std::string conv = name + ".blocks." + std::to_string(block) + ".conv";
      stage.blocks.push_back(
          {reader.read(conv + "1", {in, in, 3, step}), reader.read(conv + "2", {in, in, 3, step})});
    }
    if (std::any_of(layers().begin(), layers().end(),
                    [&](const FeatureLayer& layer) { return layer.stride == step; }))
      stage.head.push_back(reader.read(shape.layer, {in, shape.components, 1, step}));
    stages_.push_back(std::move(stage));
  }
}

std::vector<at::Tensor> BuiltinNetwork::features(const at::Tensor& input) const {
  at::Tensor x = stem_(stem_.prepared(input), Activation::ReLU);
  std::vector<at::Tensor> outputs;
  for (const Stage& stage : stages_) {
    x = stage.down(x, Activation::ReLU);
    for (const Block& block : stage.blocks)
      x = block.second.plus(block.first(x, Activation::ReLU), x, Activation::ReLU);
    for (const Convolution& head : stage.head) outputs.push_back(head(x, Activation::None));
  }
  return outputs;
}

}  // namespace patchcore
