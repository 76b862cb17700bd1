// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fit.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "coreset.hpp"
#include "detector.hpp"

namespace patchcore {
namespace {

// How the time of a build divides: the folds see as much as the bank itself, and score besides.
constexpr double kCoresetShare = 0.35;

void check(const FitOptions& options) {
  if (!(options.coreset_ratio > 0 && options.coreset_ratio <= 1))
    throw Error(ErrorCode::InvalidArgument, "The coreset ratio must be above 0 and at most 1.");
  if (options.bank_size < 0 || options.max_bank_size < 0)
    throw Error(ErrorCode::InvalidArgument, "A bank can't have a negative size.");
  if (!(options.false_alarm_rate >= 0 && options.false_alarm_rate < 1))
    throw Error(ErrorCode::InvalidArgument, "The false alarm rate must be from 0 to below 1.");
}

}  // namespace

Fit::Fit(std::shared_ptr<const Backbone> backbone, Settings settings, FitOptions options)
    : backbone_(std::move(backbone)),
      settings_(std::move(settings)),
      options_(options),
      preprocess_(settings_, backbone_->stride()) {
  check(options_);
  settings_.check();
  settings_.backbone = backbone_->options().name;
  settings_.layers = backbone_->options().layers;
}

void Fit::add(const Embedding& embedding, Size input) {
  std::lock_guard lock(mutex_);
  for (int64_t i = 0; i < embedding.images; ++i) {
    // A copy of its own: a slice would keep the whole batch alive.
    const at::Tensor rows = embedding.image(i).to(at::kCPU, at::kFloat, false, /*copy=*/true);
    frames_.push_back({rows, embedding.height, embedding.width, input});
  }
}

int64_t Fit::frames() const {
  std::lock_guard lock(mutex_);
  return static_cast<int64_t>(frames_.size());
}

MemoryBank Fit::build(const Monitor& monitor) const {
  std::vector<Frame> frames;
  {
    std::lock_guard lock(mutex_);
    frames = frames_;  // tensors are shared, not copied
  }
  if (frames.empty())
    throw Error(ErrorCode::InvalidArgument, "There is no frame to make a bank of.");
  const bool calibrated = options_.folds > 1 && frames.size() > 1;
  MemoryBank bank = build_from(frames, 1, monitor.part(0, calibrated ? kCoresetShare : 1));
  if (calibrated) bank.calibration = calibrate(frames, monitor.part(kCoresetShare, 1));
  bank.id = bank.identify(monitor);
  return bank;
}

int64_t Fit::bank_rows(int64_t patches, double share) const {
  auto rows = static_cast<int64_t>(static_cast<double>(patches) * options_.coreset_ratio);
  // A fold's bank is as dense as the whole one, so limits shrink with its share of the frames.
  if (options_.bank_size > 0)
    rows = std::llround(share * static_cast<double>(options_.bank_size));
  else if (options_.max_bank_size > 0)
    rows =
        std::min(rows, static_cast<int64_t>(share * static_cast<double>(options_.max_bank_size)));
  return std::clamp<int64_t>(rows, 1, patches);
}

MemoryBank Fit::build_from(const std::vector<Frame>& frames, double share,
                           const Monitor& monitor) const {
  std::vector<at::Tensor> parts;
  for (const Frame& frame : frames) parts.push_back(frame.rows);
  const at::Tensor patches = at::cat(parts).to(backbone_->device());
  if (!patches.isfinite().all().item<bool>())
    throw Error(ErrorCode::Failed, "The network's features are not finite.");

  const at::Tensor projected = project(patches, settings_.projection, options_.seed, monitor);
  monitor.check();
  const at::Tensor chosen =
      greedy_k_center(projected, bank_rows(patches.size(0), share),
                      coreset_seed(projected, settings_.coreset_start, options_.seed), monitor);

  MemoryBank bank;
  const at::Tensor rows = patches.index_select(0, chosen.to(patches.device()));
  const int64_t b = std::min<int64_t>(settings_.neighbours, rows.size(0));
  bank.neighbours = NearestNeighbour(rows, monitor).own_neighbours(b, monitor).cpu();
  bank.rows = rows.cpu();
  bank.settings = settings_;
  bank.weights_id = backbone_->weights_id();
  bank.weights_location = backbone_->options().weights;
  bank.precision = nick(backbone_->options().precision);
  bank.seed = options_.seed;
  bank.frames = static_cast<int64_t>(frames.size());
  return bank;
}

/// Folds are contiguous, since a video's neighbouring frames are nearly copies of each other.
Calibration Fit::calibrate(const std::vector<Frame>& frames, const Monitor& monitor) const {
  const auto total = static_cast<int64_t>(frames.size());
  const int64_t folds = std::min<int64_t>(options_.folds, total);
  std::vector<float> scores, map_peaks;
  for (int64_t fold = 0; fold < folds; ++fold) {
    const auto first = frames.begin() + total * fold / folds;
    const auto last = frames.begin() + total * (fold + 1) / folds;
    std::vector<Frame> seen(frames.begin(), first);
    seen.insert(seen.end(), last, frames.end());

    const double share = static_cast<double>(seen.size()) / static_cast<double>(total);
    const Monitor part = monitor.part(static_cast<double>(fold) / static_cast<double>(folds),
                                      static_cast<double>(fold + 1) / static_cast<double>(folds));
    const Detector detector(backbone_, std::make_shared<MemoryBank>(build_from(seen, share, part)));
    for (auto frame = first; frame != last; ++frame) {
      monitor.check();
      const Embedding one{frame->rows.to(backbone_->device()), 1, frame->height, frame->width};
      const Result result = detector.score(one, frame->input).front();
      scores.push_back(static_cast<float>(result.score));
      map_peaks.push_back(static_cast<float>(result.map_peak));
    }
  }
  Calibration calibration =
      Calibration::from_scores(std::move(scores), std::move(map_peaks), options_.false_alarm_rate);
  calibration.method = std::to_string(folds) + " folds, false alarm rate " +
                       std::to_string(options_.false_alarm_rate);
  return calibration;
}

}  // namespace patchcore
