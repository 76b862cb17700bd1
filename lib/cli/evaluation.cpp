// SPDX-License-Identifier: LGPL-2.1-or-later
#include "evaluation.hpp"

#include <algorithm>

namespace patchcore::cli {

std::optional<double> threshold_of(const Calibration& calibration) {
  if (!calibration.valid()) return std::nullopt;
  return calibration.threshold;
}

void Evaluation::Tally::add(const Tally& other) {
  scores.insert(scores.end(), other.scores.begin(), other.scores.end());
  pixels.add(other.pixels);
  resamples.add(other.resamples);
}

Evaluation::Evaluation(const Ensemble& ensemble, const Dataset& dataset,
                       const EvaluationOptions& options)
    : ensemble_(ensemble),
      dataset_(dataset),
      options_(options),
      threshold_(threshold_of(ensemble.calibration())) {}

EvaluationResult Evaluation::run() {
  EvaluationResult result;
  uint32_t number = 0;
  Tally good = see(dataset_.good, number), defective{PixelResamples(options_.bootstrap)};
  for (const TestGroup& group : dataset_.classes) {
    const Tally tally = see(group, ++number);
    result.classes.push_back(compare(group.name, good, tally));
    defective.add(tally);
  }
  result.all = compare("all", good, defective);
  result.notes = notes(result.all);
  result.good = std::move(good.scores);
  result.defective = std::move(defective.scores);
  return result;
}

Evaluation::Tally Evaluation::see(const TestGroup& group, uint32_t number) {
  const size_t total = dataset_.good.images.size() + dataset_.defects();
  Tally tally{PixelResamples(group.images.size(), options_.bootstrap, number)};
  const auto sink = [&](const Processed& image) {
    const size_t index = tally.scores.size();
    see(image, group, group.masks.empty() ? cv::Mat() : read_grey(group.masks[index]), tally);
    progress_.show("Scoring", static_cast<double>(++done_) / static_cast<double>(total));
  };
  ensemble_.score(group.images, sink, options_.gallery ? Gallery::kSide : 0);
  return tally;
}

void Evaluation::see(const Processed& image, const TestGroup& group, const cv::Mat& mask,
                     Tally& tally) {
  tally.scores.push_back(image.result.score);
  if (dataset_.has_masks) {
    const ComparedPixels pixels =
        compare_pixels(image, mask, *image.preprocess, options_.geometry, ensemble_.mask());
    CoarsePixels coarse;
    count_pixels(pixels, coarse);
    count_pixels(pixels, tally.pixels);
    tally.resamples.add(coarse);
  }
  if (!options_.gallery) return;
  if (&group == &dataset_.good)
    options_.gallery->offer_good(image);
  else
    options_.gallery->offer_defective(image, group.name, mask);
}

Metrics Evaluation::compare(const std::string& name, const Tally& good,
                            const Tally& defective) const {
  const auto alarms = [&](const Tally& tally) {
    return static_cast<size_t>(std::count_if(tally.scores.begin(), tally.scores.end(),
                                             [&](double score) { return score >= *threshold_; }));
  };
  Metrics metrics;
  metrics.name = name;
  metrics.defects = defective.scores.size();
  metrics.images = good.scores.size() + metrics.defects;
  metrics.image = image_metrics(score_levels(good.scores, defective.scores), threshold_);
  metrics.intervals = bootstrap(good.scores, defective.scores, threshold_, options_.bootstrap);
  if (threshold_) {
    metrics.false_alarms = alarms(good);
    metrics.misses = metrics.defects - alarms(defective);
  }
  PixelHistogram pixels;
  pixels.add(good.pixels);
  pixels.add(defective.pixels);
  metrics.pixel_auroc = pixels.auroc();
  metrics.aupro = pixels.aupro();
  if (metrics.aupro)
    metrics.pixel_intervals = PixelResamples::intervals(good.resamples, defective.resamples);
  return metrics;
}

std::vector<std::string> Evaluation::notes(const Metrics& all) const {
  std::vector<std::string> notes;
  if (dataset_.good.images.empty())
    notes.push_back("There are no good images: the image AUROC, AP and F1 are undefined.");
  if (dataset_.classes.empty())
    notes.push_back("There are no defective images: no AUROC, AP, F1 or AUPRO is defined.");
  if (!dataset_.has_masks)
    notes.push_back("There is no folder ground_truth: the pixel AUROC and AUPRO are undefined.");
  else if (!dataset_.classes.empty() && !all.pixel_auroc)
    notes.push_back(
        "The masks, as far as they are compared, don't have both good and defective pixels: the "
        "pixel AUROC and AUPRO are undefined.");
  if (!threshold_)
    notes.push_back("The bank has no threshold: F1, false alarms and misses at it are undefined.");
  return notes;
}

}  // namespace patchcore::cli
