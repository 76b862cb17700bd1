// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "device.hpp"

namespace patchcore {

/// Which network, on what.
struct BackboneOptions {
  std::string name = "builtin";     ///< see backbone_names(); torchscript:FILE names weights too
  std::string weights;              ///< see WeightsFile; empty: what was fetched, see weights.hpp
  std::vector<std::string> layers;  ///< finest first; empty: the network's usual ones
  std::string device = "auto";
  Precision precision = Precision::Auto;
};

/// One layer whose output is used.
struct FeatureLayer {
  std::string name;
  int channels;
  int stride;  ///< input pixels a step of the feature map
};

/// A frozen feature extractor. Immutable once made: features() may be called from any thread.
class Backbone {
 public:
  virtual ~Backbone() = default;

  /// N x 3 x H x W normalised float -> for each layer N x C x ceil(H / stride) x ceil(W / stride)
  /// in the type that the network computes in and its memory format, channels last where it has
  /// convolutions, on the backbone's device.
  virtual std::vector<at::Tensor> features(const at::Tensor& input) const = 0;

  /// As they were resolved: with a device's name, a precision and layers() by their names.
  const BackboneOptions& options() const { return options_; }
  const std::vector<FeatureLayer>& layers() const { return layers_; }
  int stride() const { return layers_.back().stride; }
  c10::Device device() const { return device_; }

  /// SHA-256 of the weights file in hex, of torchscript's also that of its description, of the
  /// built-in network that of its weights.
  const std::string& weights_id() const { return weights_id_; }

  /// Makes a network, or hands out the one that the process already has for the same options and
  /// the same file. Throws Error: NotFound, OpenRead (not such weights), Init, and InvalidArgument
  /// where layers are not some of the network's, each once and finest first.
  static std::shared_ptr<const Backbone> get(const BackboneOptions& options);

 protected:
  Backbone(BackboneOptions options, std::vector<FeatureLayer> layers, c10::Device device,
           std::string weights_id);

 private:
  BackboneOptions options_;
  std::vector<FeatureLayer> layers_;
  c10::Device device_;
  std::string weights_id_;
};

/// Whether a backbone of this name runs what its file holds: such a file must be named by a person.
inline bool runs_its_file(const std::string& name) { return name == "torchscript"; }

/// "builtin", "resnet18", "resnet50", "wide_resnet50_2", "mobilenet_v2", "torchscript".
const std::vector<std::string>& backbone_names();

}  // namespace patchcore
