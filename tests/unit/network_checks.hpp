// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cmath>

#include "backbone.hpp"
#include "network_fixture.hpp"
#include "network_weights.hpp"
#include "safetensors.hpp"

inline patchcore::BackboneOptions network_options(const std::string& net,
                                                  const std::filesystem::path& weights,
                                                  std::vector<std::string> layers = {}) {
  return {net, weights.string(), std::move(layers), "cpu", patchcore::Precision::Fp32};
}

/// What the fixture's values were made of: the variance of a normalised picture.
inline at::Tensor network_input() {
  return (noise("input", {1, 3, 64, 64}) * std::sqrt(3)).to(at::kFloat);
}

/// The network's usual layers give what torchvision's give with the same weights.
inline void assert_torchvisions(const std::string& net, const NoiseWeights& weights) {
  const TemporaryFolder folder;
  patchcore::write_safetensors(folder / "w", {}, weights.tensors);
  const auto backbone = patchcore::Backbone::get(network_options(net, folder / "w"));
  const auto features = backbone->features(network_input());
  size_t index = 0;
  for (const auto& expected : kNetworks) {
    if (expected.net != net) continue;
    ck_assert_str_eq(backbone->layers()[index].name.c_str(), expected.layer);
    const at::Tensor& map = features[index++];
    ck_assert_double_eq_tol(map.mean().item<double>(), expected.mean,
                            1e-4 * (0.1 + std::abs(expected.mean)));
    for (const auto& [place, value] : expected.samples)
      ck_assert_double_eq_tol(map.flatten()[place].item<double>(), value,
                              1e-4 * (1 + std::abs(value)));
  }
  ck_assert_uint_eq(index, 2);
  ck_assert_uint_eq(features.size(), index);
}

/// A layer's values are the same whether it is the last that is asked for or others follow it,
/// which are computed from it and might be written over it.
inline void assert_layers_keep_their_values(const std::string& net, const NoiseWeights& weights,
                                            const std::vector<std::string>& layers) {
  const TemporaryFolder folder;
  patchcore::write_safetensors(folder / "w", {}, weights.tensors);
  const auto features = [&](const std::vector<std::string>& some) {
    return patchcore::Backbone::get(network_options(net, folder / "w", some))
        ->features(network_input());
  };
  const auto together = features(layers);
  for (size_t i = 0; i < layers.size(); ++i)
    ck_assert_msg(together[i].equal(features({layers[i]})[0]), "%s", layers[i].c_str());
}
