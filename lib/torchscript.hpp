// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "backbone.hpp"
#include "image.hpp"

namespace torch::jit {
struct Module;
}

namespace patchcore {

/// What a TorchScript file doesn't say of itself: FILE.json beside it, see docs/backbones.md.
struct TorchScriptDescription {
  std::vector<double> mean, deviation;  ///< of RGB in 0..1 that the network expects, 3 each
  std::vector<FeatureLayer> layers;     ///< of its outputs, in their order: finest first
  std::optional<Size> size;             ///< the only one of a frame that it takes

  /// Throws Error, naming the file: NotFound, OpenRead with the entry that is missing or wrong.
  static TorchScriptDescription read(const std::string& weights);
  /// Where it lies.
  static std::string path_for(const std::string& weights) { return weights + ".json"; }
};

/// Any network, as a TorchScript file whose forward() takes N x 3 x H x W and returns a tensor, or
/// a tuple or list of them, N x C x H / stride x W / stride each. It is a program: it runs what its
/// maker wrote, as far as TorchScript reaches, and so is only loaded where a person named it, never
/// because a bank does.
class TorchScript : public Backbone {
 public:
  /// chosen: some of the description's, in its order.
  TorchScript(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device,
              std::string weights_id);
  ~TorchScript() override;

  /// Throws Error(InvalidArgument) where the frames' size isn't the one that it takes.
  std::vector<at::Tensor> features(const at::Tensor& input) const override;

 private:
  std::vector<at::Tensor> run(const at::Tensor& input) const;
  void check_outputs() const;

  std::unique_ptr<torch::jit::Module> module_;
  TorchScriptDescription description_;
  at::Tensor scale_, shift_;  ///< from ImageNet's normalisation to the network's own
  at::ScalarType type_;
};

}  // namespace patchcore
