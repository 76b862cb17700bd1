// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights of torchvision's networks that need no file: every parameter from noise().
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "support.hpp"

/// torchvision's parameters of a network, by its names. A convolution has the variance
/// 1 / (inputs of a sum), so that activations stay near 1; parameter() in make_fixtures.py is the
/// same.
class NoiseWeights {
 public:
  std::map<std::string, at::Tensor> tensors;

 protected:
  /// in: channels that one output sees.
  void convolution(const std::string& name, const std::string& norm, int64_t in, int64_t out,
                   int64_t side) {
    const double scale = std::sqrt(3.0 / static_cast<double>(in * side * side));
    put(name + ".weight", {out, in, side, side}, 0, scale);
    put(norm + ".weight", {out}, 1, 0.25);
    put(norm + ".bias", {out}, 0, 0.25);
    put(norm + ".running_mean", {out}, 0, 0.25);
    put(norm + ".running_var", {out}, 1, 0.5);
  }

 private:
  void put(const std::string& name, std::vector<int64_t> shape, double offset, double scale) {
    tensors[name] = (noise(name, std::move(shape)) * scale + offset).to(at::kFloat);
  }
};

/// Up to layer`stages`.
class ResNetWeights : public NoiseWeights {
 public:
  ResNetWeights(const std::string& net, int stages) {
    const bool basic = net == "resnet18";
    const int width = net == "wide_resnet50_2" ? 128 : 64;
    const std::array<int, 4> blocks =
        basic ? std::array<int, 4>{2, 2, 2, 2} : std::array<int, 4>{3, 4, 6, 3};
    convolution("conv1", "bn1", 3, 64, 7);
    int64_t in = 64;
    for (int stage = 0; stage < stages; ++stage) {
      const int64_t inner = int64_t{width} << stage, out = (basic ? 64 : 256) << stage;
      for (int i = 0; i < blocks[stage]; ++i) {
        const std::string p = "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
        convolution(p + "conv1", p + "bn1", in, inner, basic ? 3 : 1);
        convolution(p + "conv2", p + "bn2", inner, inner, 3);
        if (!basic) convolution(p + "conv3", p + "bn3", inner, out, 1);
        if (i == 0 && in != out) convolution(p + "downsample.0", p + "downsample.1", in, out, 1);
        in = out;
      }
    }
  }
};

/// mobilenet_v2 up to features.`last`.
class MobileNetWeights : public NoiseWeights {
 public:
  explicit MobileNetWeights(int last) {
    constexpr std::array<int, 17> kChannels{16, 24, 24, 32, 32,  32,  64,  64, 64,
                                            64, 96, 96, 96, 160, 160, 160, 320};
    convolution("features.0.0", "features.0.1", 3, 32, 3);
    int64_t in = 32;
    for (int i = 1; i <= last; ++i) {
      const std::string p = "features." + std::to_string(i) + ".conv.";
      const int64_t inner = i == 1 ? in : 6 * in, out = kChannels[static_cast<size_t>(i - 1)];
      const int depthwise = i == 1 ? 0 : 1;
      if (i > 1) convolution(p + "0.0", p + "0.1", in, inner, 1);
      const std::string d = p + std::to_string(depthwise);
      convolution(d + ".0", d + ".1", 1, inner, 3);
      convolution(p + std::to_string(depthwise + 1), p + std::to_string(depthwise + 2), inner, out,
                  1);
      in = out;
    }
  }
};
