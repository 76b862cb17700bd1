// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detector.hpp"

/// Pictures that a bank scores, or that a network embeds.
class Pictures {
 public:
  /// file: safetensors with "pictures", N x H x W x 3 uint8, at the network's input size.
  explicit Pictures(const std::string& file);

  int64_t count() const { return rgb_.size(0); }
  patchcore::Size size() const;

  /// Scores the pictures of these indices, `batch` a call of infer(). Returns their results in
  /// order.
  std::vector<patchcore::Result> score(const patchcore::Detector& detector,
                                       std::span<const int64_t> indices, size_t batch) const;

  /// All pictures' patches: (N * patches) x D float on the CPU.
  at::Tensor embed(const patchcore::Backbone& backbone, const patchcore::Settings& settings) const;

 private:
  at::Tensor rgb_;
};

/// The bank in a file with the network that it was made with. weights: that network's.
std::shared_ptr<const patchcore::Detector> open_bank(const std::string& bank,
                                                     const std::string& weights,
                                                     const std::string& device,
                                                     const std::string& precision);
