// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "backbone.hpp"
#include "convolution.hpp"

namespace patchcore {

/// resnet18, resnet50 and wide_resnet50_2 as torchvision defines them (He et al. 2016; Zagoruyko
/// and Komodakis 2016; the stride of a bottleneck on its 3x3 convolution), with its parameter
/// names. Runs up to the last layer asked for and reads no parameter behind it. Batch norm is
/// folded into the convolutions, since nothing here trains.
class ResNet : public Backbone {
 public:
  /// chosen: some of all_layers(), finest first.
  ResNet(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device,
         std::string weights_id);

  std::vector<at::Tensor> features(const at::Tensor& input) const override;

  static const std::vector<std::string>& names();

  /// layer1 to layer4 of one of names().
  static std::vector<FeatureLayer> all_layers(const std::string& name);

 private:
  /// Basic (two convolutions) or bottleneck (three), with the shortcut's projection if it has one.
  struct Block {
    std::vector<Convolution> path;
    std::vector<Convolution> shortcut;
    at::Tensor operator()(const at::Tensor& x) const;
  };

  /// in: channels that come in.
  Block read_block(ConvolutionReader& reader, const std::string& prefix, int stage, int stride,
                   int in) const;

  Convolution stem_;
  std::vector<std::vector<Block>> stages_;  ///< stages_[0] is layer1
  std::vector<bool> wanted_;                ///< is stage i's output one of layers()
};

}  // namespace patchcore
