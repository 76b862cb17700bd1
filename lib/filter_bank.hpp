// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "backbone.hpp"

namespace patchcore {

/// The built-in network, which needs no weights file: a fixed bank of filters in the manner of the
/// early visual system. Luminance and two opponent colours are taken through a pyramid; at each
/// scale the local energy of four orientations (Gabor pairs in quadrature) and of the colour
/// contrast is measured, compressed, and averaged to a grid; local means are kept beside it.
/// Layers: "fine" (stride 8) and "coarse" (stride 16).
class FilterBank : public Backbone {
 public:
  /// chosen: some of all_layers(), finest first.
  FilterBank(const BackboneOptions& options, std::vector<FeatureLayer> chosen, c10::Device device);

  static std::vector<FeatureLayer> all_layers();

  std::vector<at::Tensor> features(const at::Tensor& input) const override;

 private:
  /// N x 3 x H x W opponent colours -> N x 6 x H x W contrast energies, compressed.
  std::vector<at::Tensor> features_of(const at::Tensor& image) const;
  at::Tensor energies(const at::Tensor& opponent) const;

  at::Tensor to_opponent_;    ///< 3 x 3 x 1 x 1: normalised RGB to opponent colours
  at::Tensor opponent_bias_;  ///< 3
  at::Tensor even_, odd_;     ///< 4 x 1 x 9 x 9: orientations 0, 45, 90, 135 degrees
  at::Tensor contrast_;       ///< 9 x 9: centre minus surround
};

}  // namespace patchcore
