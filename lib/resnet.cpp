// SPDX-License-Identifier: LGPL-2.1-or-later
#include "resnet.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "error.hpp"
#include "weights_file.hpp"

namespace patchcore {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;  // torchvision's
constexpr int kStages = 4;

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

at::ScalarType scalar_type(Precision precision) {
  if (precision == Precision::Bf16) return at::kBFloat16;
  return precision == Precision::Fp16 ? at::kHalf : at::kFloat;
}

}  // namespace

/// Reads parameters by torchvision's names; their shapes must be those of the architecture.
class ResNet::Loader {
 public:
  Loader(const BackboneOptions& options, c10::Device device)
      : file_(options.weights),
        path_(options.weights),
        name_(options.name),
        device_(device),
        type_(scalar_type(options.precision)) {}

  Convolution convolution(const std::string& conv, const std::string& norm, int in, int out,
                          int side, int stride) {
    const at::Tensor weight = parameter(conv + ".weight", {out, in, side, side});
    const at::Tensor variance = parameter(norm + ".running_var", {out});
    if (variance.lt(0).any().item<bool>()) refuse(norm + ".running_var is negative");
    const at::Tensor scale =
        parameter(norm + ".weight", {out}) / (variance + kBatchNormEpsilon).sqrt();
    const at::Tensor bias =
        parameter(norm + ".bias", {out}) - parameter(norm + ".running_mean", {out}) * scale;
    const at::Tensor folded = weight * scale.reshape({-1, 1, 1, 1});
    return {rounded(folded, conv + ".weight").contiguous(at::MemoryFormat::ChannelsLast),
            rounded(bias, norm + ".bias"), stride};
  }

  /// in: channels that come in.
  Block block(const std::string& prefix, const Architecture& net, int stage, int stride, int in) {
    Block block;
    const int out = net.channels(stage);
    const int convolutions = net.bottleneck ? 3 : 2;
    const int strided = net.bottleneck ? 1 : 0;
    int channels = in;
    for (int i = 0; i < convolutions; ++i) {
      const std::string n = std::to_string(i + 1);
      const int side = net.bottleneck && i != 1 ? 1 : 3;
      const int next = i + 1 == convolutions ? out : net.inner(stage);
      block.path.push_back(convolution(prefix + ".conv" + n, prefix + ".bn" + n, channels, next,
                                       side, i == strided ? stride : 1));
      channels = next;
    }
    if (stride != 1 || in != out)
      block.shortcut.push_back(
          convolution(prefix + ".downsample.0", prefix + ".downsample.1", in, out, 1, stride));
    return block;
  }

 private:
  at::Tensor parameter(const std::string& name, at::IntArrayRef shape) {
    if (!file_.contains(name)) refuse(name + " is missing");
    const at::Tensor value = file_.tensor(name).to(at::kDouble);
    if (value.sizes() != shape) refuse(name + " has another shape");
    if (!value.isfinite().all().item<bool>()) refuse(name + " holds NaN or infinity");
    return value;
  }

  at::Tensor rounded(const at::Tensor& folded, const std::string& name) const {
    const at::Tensor value = folded.to(type_);
    if (!value.isfinite().all().item<bool>()) refuse(name + " is too large");
    return value.to(device_);
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::OpenRead,
                "\"" + path_ + "\" doesn't hold weights of " + name_ + ": " + why + ".");
  }

  WeightsFile file_;
  std::string path_, name_;
  c10::Device device_;
  at::ScalarType type_;
};

const std::vector<std::string>& ResNet::names() {
  static const auto& names =
      *new std::vector<std::string>{"resnet18", "resnet50", "wide_resnet50_2"};
  return names;
}

std::vector<FeatureLayer> ResNet::all_layers(const std::string& name) {
  std::vector<FeatureLayer> layers;
  for (int stage = 0; stage < kStages; ++stage)
    layers.push_back({stage_name(stage), architecture(name).channels(stage), 4 << stage});
  return layers;
}

ResNet::ResNet(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device,
               std::string weights_id)
    : Backbone(options, std::move(chosen), device, std::move(weights_id)),
      type_(scalar_type(options.precision)) {
  const Architecture& net = architecture(options.name);
  Loader loader(options, device);
  stem_ = loader.convolution("conv1", "bn1", 3, 64, 7, 2);
  int channels = 64;
  for (int stage = 0; stage_name(stage) <= layers().back().name && stage < kStages; ++stage) {
    std::vector<Block> blocks;
    for (int i = 0; i < net.blocks[stage]; ++i) {
      blocks.push_back(loader.block(stage_name(stage) + "." + std::to_string(i), net, stage,
                                    i == 0 && stage > 0 ? 2 : 1, channels));
      channels = net.channels(stage);
    }
    stages_.push_back(std::move(blocks));
    wanted_.push_back(std::any_of(layers().begin(), layers().end(), [&](const FeatureLayer& l) {
      return l.name == stage_name(stage);
    }));
  }
}

at::Tensor ResNet::Convolution::operator()(const at::Tensor& x) const {
  const auto padding = weight.size(2) / 2;
  return at::conv2d(x, weight, bias, stride, padding);
}

at::Tensor ResNet::Block::operator()(const at::Tensor& x) const {
  at::Tensor y = x;
  for (size_t i = 0; i < path.size(); ++i) {
    y = path[i](y);
    if (i + 1 < path.size()) y.relu_();
  }
  return y.add_(shortcut.empty() ? x : shortcut[0](x)).relu_();
}

std::vector<at::Tensor> ResNet::features(const at::Tensor& input) const {
  at::Tensor x = input.to(device(), type_).contiguous(at::MemoryFormat::ChannelsLast);
  x = at::max_pool2d(stem_(x).relu_(), {3, 3}, {2, 2}, {1, 1});
  std::vector<at::Tensor> outputs;
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    for (const auto& block : stages_[stage]) x = block(x);
    if (wanted_[stage]) outputs.push_back(x.to(at::kFloat).contiguous());
  }
  return outputs;
}

}  // namespace patchcore
