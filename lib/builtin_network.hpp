// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "convolution.hpp"

namespace patchcore {

/// The network that a fresh install has: small and residual, trained by lib/builtin/train.py to
/// predict principal components of ResNet-18's layer2 ("fine") and layer3 ("coarse");
/// docs/builtin-network.md is its model card. Its weights are part of the library.
class BuiltinNetwork : public Backbone {
 public:
  static std::vector<FeatureLayer> all_layers();

  BuiltinNetwork(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                 c10::Device device);

  std::vector<at::Tensor> features(const at::Tensor& input) const override;

 private:
  /// A convolution that makes it smaller, two to whose result what came in is added, and the head
  /// whose output is a layer.
  struct Stage {
    Convolution down, first, second;
    std::vector<Convolution> head;  ///< one, or none where no layer that is wanted ends here
  };

  std::vector<Stage> stages_;
};

}  // namespace patchcore
