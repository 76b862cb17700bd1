// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>

#include "backbone.hpp"
#include "bank_search.hpp"
#include "memory_bank.hpp"
#include "patch_embedding.hpp"
#include "preprocess.hpp"

namespace patchcore {

/// What is known of one frame.
struct Result {
  double score = 0;             ///< raw, in the preset's units
  double normalized_score = 0;  ///< see Calibration::normalise; NaN without calibration
  double peak_x = 0;            ///< centre of the worst patch, fractions of the input
  double peak_y = 0;
  double map_peak = 0;  ///< the largest value of the map
  at::Tensor map;       ///< H x W float on the CPU at the input's size, raw units
  at::Tensor patches;   ///< n x D float on the CPU: those kept, the largest value first
  at::Tensor cells;     ///< n int64: where these were, see Embedding::cells()
};

/// A bank on a device, ready to score. Immutable: any thread may score.
class Detector {
 public:
  /// Throws Error(Incompatible), naming both sides, where the bank was made with another network,
  /// other weights or other layers; Error(Cancelled).
  Detector(std::shared_ptr<const Backbone> backbone, std::shared_ptr<const MemoryBank> bank,
           const Monitor& monitor = {});

  /// Makes a detector, or hands out the one that the process already has of these two objects.
  static std::shared_ptr<const Detector> get(const std::shared_ptr<const Backbone>& backbone,
                                             const std::shared_ptr<const MemoryBank>& bank,
                                             const Monitor& monitor = {});

  const Backbone& backbone() const { return *backbone_; }
  const MemoryBank& bank() const { return *bank_; }
  const Settings& settings() const { return bank_->settings; }
  const Preprocess& preprocess() const { return preprocess_; }

  /// One result for each image of the embedding. input: what the backbone saw. keep_above: also
  /// keeps the patches whose value, the distance to the nearest row in the units of the map, is at
  /// or above this. Patches that don't count have no part in anything and are 0 in the map, whose
  /// blur is made of the others alone; where none counts the score is 0.
  std::vector<Result> score(const Embedding& embedding, Size input,
                            std::optional<double> keep_above = {}) const;

 private:
  Neighbours nearest(const Embedding& embedding, const at::Tensor& counted) const;

  std::shared_ptr<const Backbone> backbone_;
  std::shared_ptr<const MemoryBank> bank_;
  Preprocess preprocess_;
  BankSearch search_;
};

/// The options that make the network a bank was fitted with. weights: empty: where the bank says
/// that they were, or, if nothing is there, where weights are fetched to. precision: Auto is this
/// machine's best, whatever the bank was fitted in: scores then move by up to some percent, see
/// docs/guide.md.
BackboneOptions backbone_options_for(const MemoryBank& bank, const std::string& weights,
                                     const std::string& device, Precision precision);

}  // namespace patchcore
