// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "backbone.hpp"
#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "outliers.hpp"
#include "patch_embedding.hpp"
#include "preprocess.hpp"

namespace patchcore {

/// Which frames are held out together to find the threshold.
enum class Folds {
  Contiguous,  ///< neighbours: a video's are nearly copies of each other
  Shuffled,    ///< drawn by the seed: of pictures that have no order
};

struct FitOptions {
  double coreset_ratio = 0.1;  ///< bank rows a training patch, (0, 1]
  int64_t max_bank_size = 0;   ///< rows at most; 0: no limit
  int64_t bank_size = 0;       ///< rows exactly, instead of a ratio; 0: by ratio
  uint64_t seed = 0;
  int folds = 3;  ///< of the calibration; 0: none
  Folds fold_order = Folds::Contiguous;
  FalseAlarms false_alarms = {};
  bool drop_outliers = false;  ///< leaves them out; needs folds
};

/// Gathers normal frames and makes a bank of them. add() and build() may be called from different
/// threads, one at a time wins.
class Fit {
 public:
  /// settings.backbone and settings.layers are taken from the backbone.
  Fit(std::shared_ptr<const Backbone> backbone, Settings settings, FitOptions options);

  const Backbone& backbone() const { return *backbone_; }
  const Settings& settings() const { return settings_; }
  const Preprocess& preprocess() const { return preprocess_; }

  /// Images that a frame is learnt as: itself, and a copy for each of settings().augmentation.
  int64_t views() const { return 1 + static_cast<int64_t>(settings_.augmentation.size()); }
  uint64_t seed() const { return options_.seed; }

  /// Keeps the frames' patches, in host memory; those that don't count are not learnt, and a frame
  /// of which none does is passed over. Each views() images of the embedding are one frame, itself
  /// first. input: what the backbone saw. Throws what check() throws.
  void add(const Embedding& embedding, Size input);
  /// Throws Error(InvalidArgument), naming both sizes, where with the setting search_radius the
  /// frames have another grid of patches than those before.
  void check(const Embedding& embedding) const;
  int64_t frames() const;
  /// Those that count, of all frames and their copies.
  int64_t patches() const;

  /// How long the frames so far last, and what alarms are counted with; may change with each build.
  void set_video(const Video& video);

  /// Coreset, neighbours, calibration. May be called again after more frames. Throws
  /// Error(InvalidArgument) when there is no frame, and where alarms an hour are asked for and the
  /// video's length is not known; Error(Cancelled).
  MemoryBank build(const Monitor& monitor = {}) const;

  /// What the last build() found; nothing before, and without folds. They are left out where
  /// drop_outliers says so, and are in the bank otherwise.
  Outliers outliers() const;

 private:
  struct Frame {
    Embedding views;  ///< as many images, the frame itself first
    Size input;
  };

  /// rows: of the bank, at most.
  at::Tensor patches_of_views(const std::vector<Frame>& frames) const;
  MemoryBank build_from(const std::vector<Frame>& frames, int64_t rows,
                        const Monitor& monitor) const;
  std::vector<HeldOut> hold_out(const std::vector<Frame>& frames, const Monitor& monitor) const;
  Calibration calibrate(const std::vector<HeldOut>& scored, const Video& video,
                        const Monitor& monitor) const;
  size_t folds_of(size_t frames) const;
  std::vector<size_t> order_of_folds(size_t frames) const;
  void score_fold(const std::vector<Frame>& frames, std::span<const size_t> held_out, int64_t rows,
                  std::vector<HeldOut>& scored, const Monitor& monitor) const;
  Positions positions_of(const std::vector<Frame>& frames, const at::Tensor& patches,
                         const NearestNeighbour& search, const Monitor& monitor) const;
  static int64_t patches_of(const std::vector<Frame>& frames);
  int64_t bank_rows(const std::vector<Frame>& frames) const;

  std::shared_ptr<const Backbone> backbone_;
  Settings settings_;
  FitOptions options_;
  Preprocess preprocess_;
  mutable Outliers outliers_;  ///< of the last build
  mutable std::mutex mutex_;
  std::vector<Frame> frames_;
  Video video_;
};

}  // namespace patchcore
