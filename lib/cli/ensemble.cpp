// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ensemble.hpp"

#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "error.hpp"
#include "normalization.hpp"

namespace patchcore::cli {
namespace {

double pixel_threshold(const Detector& detector) {
  constexpr double kLeast = std::numeric_limits<float>::min();  // where all maps were 0
  return std::max(detector.bank().calibration.pixel_threshold, kLeast);
}

/// Of scores in steps and maps in thresholds.
Calibration of_several(std::span<const std::unique_ptr<const Detector>> detectors) {
  Calibration calibration;
  calibration.threshold = calibration.pixel_threshold = 1;
  calibration.method = "that of each bank";
  for (const auto& detector : detectors) {
    const MemoryBank& bank = detector->bank();
    if (!bank.calibration.valid())
      throw Error(ErrorCode::Incompatible,
                  "\"" + bank.origin +
                      "\" has no threshold, without which its scores can't be compared with those "
                      "of other banks.");
    calibration.pixel_median += bank.calibration.pixel_median / pixel_threshold(*detector) /
                                static_cast<double>(detectors.size());
  }
  return calibration;
}

/// In pixel thresholds, at this size.
at::Tensor map_of(const Detector& detector, const Result& result, at::IntArrayRef size) {
  const at::Tensor map = result.map.div(pixel_threshold(detector));
  if (map.sizes() == size) return map;
  return at::upsample_bilinear2d(map.unsqueeze(0).unsqueeze(0), size, /*align_corners=*/false)
      .squeeze(0)
      .squeeze(0);
}

int64_t pixels(const Processed& image) {
  return int64_t{image.geometry.input.width} * image.geometry.input.height;
}

/// But for what rounding to whole pixels makes of it.
bool is_same_part(const Rectangle& a, const Rectangle& b) {
  constexpr double kRounding = 0.01;
  const auto near = [](double x, double y) { return std::abs(x - y) < kRounding; };
  return near(a.x, b.x) && near(a.y, b.y) && near(a.width, b.width) && near(a.height, b.height);
}

}  // namespace

Ensemble::Ensemble(std::vector<std::unique_ptr<const Detector>> detectors, MaskPtr mask)
    : detectors_(std::move(detectors)),
      mask_(std::move(mask)),
      calibration_(detectors_.size() == 1 ? detectors_.front()->bank().calibration
                                          : of_several(detectors_)) {}

void Ensemble::score(std::span<const ImageFile> files, const Sink& sink, int preview_side) const {
  const SinkOfSeveral join = [&](std::span<Processed> seen) {
    seen.size() == 1 ? sink(seen.front()) : sink(joined(seen));
  };
  score_images(detectors_, mask_, files, join, kDefaultBatchSize, preview_side);
}

Processed Ensemble::joined(std::span<Processed> seen) const {
  const auto smaller = [](const Processed& a, const Processed& b) { return pixels(a) < pixels(b); };
  Processed all = *std::max_element(seen.begin(), seen.end(), smaller);
  at::Tensor maps = at::zeros_like(all.result.map);
  for (size_t i = 0; i < seen.size(); ++i) {
    const Result& result = seen[i].result;
    if (!is_same_part(seen[i].geometry.region, all.geometry.region))
      throw Error(ErrorCode::Incompatible,
                  "The banks see another part of \"" + all.file.path.string() + "\" each.");
    const Calibration& calibration = detectors_[i]->bank().calibration;
    const double score =
        Normalization(calibration.threshold, calibration.median).relative(result.score);
    if (i == 0 || score > all.result.score) {
      all.result.score = score;
      all.result.peak_x = result.peak_x;
      all.result.peak_y = result.peak_y;
    }
    maps.add_(map_of(*detectors_[i], result, maps.sizes()));
  }
  all.result.normalized_score = calibration_.normalise(all.result.score);
  all.result.map = maps.div_(static_cast<double>(seen.size()));
  all.result.map_peak = all.result.map.max().item<double>();
  return all;
}

}  // namespace patchcore::cli
