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
  int side, stride;  ///< of the convolution that makes it smaller
  int channels;
  const char* layer;  ///< null: none ends here
  int components;     ///< of the layer
};

constexpr std::array<StageShape, 3> kStages{
    {{7, 4, 32, nullptr, 0}, {3, 2, 96, "fine", 64}, {3, 2, 144, "coarse", 96}}};

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
  int stride = 1;
  for (const StageShape& stage : kStages) {
    stride *= stage.stride;
    if (stage.layer) layers.push_back({stage.layer, stage.components, stride});
  }
  return layers;
}

BuiltinNetwork::BuiltinNetwork(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                               c10::Device device)
    : Backbone(options, std::move(chosen), device, embedded_id()) {
  ConvolutionReader reader(WeightsFile("the built-in network", embedded()), options, device);
  int in = 3, step = 1;
  for (size_t i = 0; step < stride(); ++i) {
    const StageShape& shape = kStages[i];
    const std::string name = "stages." + std::to_string(i);
    Stage stage;
    stage.down = reader.read(name + ".down", {in, shape.channels, shape.side, step, shape.stride});
    in = shape.channels;
    step *= shape.stride;
    stage.first = reader.read(name + ".conv1", {in, in, 3, step});
    stage.second = reader.read(name + ".conv2", {in, in, 3, step});
    if (std::any_of(layers().begin(), layers().end(),
                    [&](const FeatureLayer& layer) { return layer.stride == step; }))
      stage.head.push_back(reader.read(shape.layer, {in, shape.components, 1, step}));
    stages_.push_back(std::move(stage));
  }
}

std::vector<at::Tensor> BuiltinNetwork::features(const at::Tensor& input) const {
  at::Tensor x = stages_.front().down.prepared(input);
  std::vector<at::Tensor> outputs;
  for (const Stage& stage : stages_) {
    x = stage.down(x, Activation::ReLU);
    x = stage.second.plus(stage.first(x, Activation::ReLU), x, Activation::ReLU);
    for (const Convolution& head : stage.head) outputs.push_back(head(x, Activation::None));
  }
  return outputs;
}

}  // namespace patchcore
