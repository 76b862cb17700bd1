// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bootstrap.hpp"
#include "dataset.hpp"
#include "ensemble.hpp"
#include "gallery.hpp"
#include "metrics.hpp"
#include "pixel_resamples.hpp"
#include "pixels.hpp"
#include "progress.hpp"

namespace patchcore::cli {

/// How a bank does on one class of defects, or on all, each against the good images.
struct Metrics {
  std::string name;
  size_t images = 0;   ///< good and defective ones
  size_t defects = 0;  ///< the latter
  ImageMetrics image;
  ImageIntervals intervals;
  std::optional<size_t> false_alarms;  ///< good images at or above the bank's threshold
  std::optional<size_t> misses;        ///< defective ones below it
  std::optional<double> pixel_auroc;
  std::optional<double> aupro;
  PixelIntervals pixel_intervals;
};

struct EvaluationOptions {
  BootstrapOptions bootstrap;
  PixelGeometry geometry = PixelGeometry::Mask;
  Gallery* gallery = nullptr;  ///< to show the images to, if any
};

struct EvaluationResult {
  Metrics all;
  std::vector<Metrics> classes;
  std::vector<double> good, defective;  ///< the images' scores
  std::vector<std::string> notes;       ///< what is undefined and why, a sentence each
};

/// The calibrated threshold of the raw score.
std::optional<double> threshold_of(const Calibration& calibration);

/// Scores a data set, each image once. Throws what Ensemble::score() and reading a mask throw.
class Evaluation {
 public:
  Evaluation(const Ensemble& ensemble, const Dataset& dataset, const EvaluationOptions& options);

  EvaluationResult run();

 private:
  /// What was seen of one kind of images.
  struct Tally {
    explicit Tally(PixelResamples resamples) : resamples(std::move(resamples)) {}
    std::vector<double> scores;
    PixelHistogram pixels;
    PixelResamples resamples;
    void add(const Tally& other);
  };

  /// number: of the group, any that no other has.
  Tally see(const TestGroup& group, uint32_t number);
  void see(const Processed& image, const TestGroup& group, const cv::Mat& mask, Tally& tally);
  Metrics compare(const std::string& name, const Tally& good, const Tally& defective) const;
  std::vector<std::string> notes(const Metrics& all) const;

  const Ensemble& ensemble_;
  const Dataset& dataset_;
  const EvaluationOptions options_;
  const std::optional<double> threshold_;
  Progress progress_;
  size_t done_ = 0;
};

}  // namespace patchcore::cli
