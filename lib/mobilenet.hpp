// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "backbone.hpp"
#include "convolution.hpp"

namespace patchcore {

/// mobilenet_v2 as torchvision defines it (Sandler et al. 2018), width 1, with its parameter names.
/// Runs up to the last layer asked for and reads no parameter behind it.
class MobileNetV2 : public Backbone {
 public:
  /// chosen: some of all_layers(), finest first.
  MobileNetV2(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device,
              std::string weights_id);

  std::vector<at::Tensor> features(const at::Tensor& input) const override;

  /// The last block of each stage, features.1 to features.17.
  static std::vector<FeatureLayer> all_layers();

 private:
  /// An inverted residual: a wider 1x1 convolution (save in the first block), one 3x3 a channel, a
  /// narrower 1x1 convolution without an activation.
  struct Block {
    std::string name;
    std::vector<Convolution> path;
    bool residual;
    at::Tensor operator()(const at::Tensor& x) const;
  };

  Convolution stem_;
  std::vector<Block> blocks_;
};

}  // namespace patchcore
