// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fit.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <sstream>

#include "coreset.hpp"
#include "detector.hpp"

namespace patchcore {
namespace {

// How the time of a build divides: the folds see as much as the bank itself, and score besides.
constexpr double kFoldsShare = 0.65;

void check(const FitOptions& options) {
  if (!(options.coreset_ratio > 0 && options.coreset_ratio <= 1))
    throw Error(ErrorCode::InvalidArgument, "The coreset ratio must be above 0 and at most 1.");
  if (options.bank_size < 0 || options.max_bank_size < 0)
    throw Error(ErrorCode::InvalidArgument, "A bank can't have a negative size.");
  const FalseAlarms& wanted = options.false_alarms;
  if (!(wanted.rate >= 0 && wanted.rate < 1))
    throw Error(ErrorCode::InvalidArgument, "The false alarm rate must be from 0 to below 1.");
  if (!(wanted.per_hour >= 0 && std::isfinite(wanted.per_hour)))
    throw Error(ErrorCode::InvalidArgument, "There can't be a negative number of alarms an hour.");
  if (options.drop_outliers && options.folds < 2)
    throw Error(ErrorCode::InvalidArgument,
                "Outliers are found by folds, of which there are none.");
}

/// What is left of some things without those that are outliers.
template <typename T>
std::vector<T> without(const std::vector<T>& all, const std::vector<Outlier>& outliers) {
  std::vector<bool> out(all.size(), false);
  for (const Outlier& outlier : outliers) out[static_cast<size_t>(outlier.frame)] = true;
  std::vector<T> left;
  for (size_t i = 0; i < all.size(); ++i)
    if (!out[i]) left.push_back(all[i]);
  return left;
}

}  // namespace

Fit::Fit(std::shared_ptr<const Backbone> backbone, Settings settings, FitOptions options)
    : backbone_(std::move(backbone)),
      settings_(std::move(settings)),
      options_(options),
      preprocess_(settings_, backbone_->stride()) {
  patchcore::check(options_);
  settings_.check();
  settings_.backbone = backbone_->options().name;
  settings_.layers = backbone_->options().layers;
}

void Fit::check(const Embedding& embedding) const {
  std::lock_guard lock(mutex_);
  if (settings_.search_radius == 0 || frames_.empty()) return;
  const Size first = frames_.front().views.grid(), now = embedding.grid();
  if (now == first) return;
  throw Error(ErrorCode::InvalidArgument,
              "With search-radius all frames are of one size: the first had " + text(first) +
                  " patches, this one has " + text(now) + ".");
}

void Fit::add(const Embedding& embedding, Size input) {
  check(embedding);
  std::lock_guard lock(mutex_);
  const int64_t length = views() * embedding.patches();
  for (int64_t first = 0; first < embedding.rows.size(0); first += length) {
    const int64_t image = first / embedding.patches();
    const at::Tensor counted = embedding.counted.defined()
                                   ? embedding.counted.slice(0, image, image + views())
                                   : at::Tensor();
    if (counted.defined() && !counted[0].any().item<bool>())
      continue;  // nothing to learn, or score
    // A copy of its own: a slice would keep the whole batch alive.
    const at::Tensor rows = embedding.rows.slice(0, first, first + length)
                                .to(at::kCPU, at::kFloat, false, /*copy=*/true);
    Embedding frame = embedding;
    frame.rows = rows;
    frame.images = views();
    if (counted.defined()) frame.counted = counted.clone();
    frames_.push_back({std::move(frame), input});
  }
}

int64_t Fit::frames() const {
  std::lock_guard lock(mutex_);
  return static_cast<int64_t>(frames_.size());
}

void Fit::set_video(const Video& video) {
  if (!(video.seconds >= 0 && std::isfinite(video.seconds)) || video.alarm_frames < 1 ||
      !(video.alarm_hysteresis >= 0 && video.alarm_hysteresis <= 1))
    throw Error(ErrorCode::InvalidArgument,
                "A video lasts 0 seconds or more, an alarm takes a frame at least, and its "
                "hysteresis is 0 to 1.");
  std::lock_guard lock(mutex_);
  video_ = video;
}

MemoryBank Fit::build(const Monitor& monitor) const {
  std::vector<Frame> frames;
  Video video;
  {
    std::lock_guard lock(mutex_);
    frames = frames_;  // tensors are shared, not copied
    video = video_;
  }
  if (frames.empty())
    throw Error(ErrorCode::InvalidArgument, "There is no frame to make a bank of.");
  const bool calibrated = options_.folds > 1 && frames.size() > 1;
  Outliers outliers;
  Calibration calibration;
  if (calibrated) {
    const double first = options_.drop_outliers ? kFoldsShare / 2 : kFoldsShare;
    std::vector<HeldOut> scored = hold_out(frames, monitor.part(0, first));
    outliers = find_outliers(scored);
    if (options_.drop_outliers && !outliers.frames.empty()) {
      video.seconds *= static_cast<double>(frames.size() - outliers.frames.size()) /
                       static_cast<double>(frames.size());
      frames = without(frames, outliers.frames);
      // Others may have been taken for normal beside them.
      scored = hold_out(frames, monitor.part(first, kFoldsShare));
    }
    calibration = calibrate(scored, video, monitor);
  }
  MemoryBank bank =
      build_from(frames, bank_rows(frames), monitor.part(calibrated ? kFoldsShare : 0, 1));
  bank.calibration = std::move(calibration);
  bank.id = bank.identify(monitor);
  std::lock_guard lock(mutex_);
  outliers_ = std::move(outliers);
  return bank;
}

Outliers Fit::outliers() const {
  std::lock_guard lock(mutex_);
  return outliers_;
}

int64_t Fit::patches_of(const std::vector<Frame>& frames) {
  int64_t patches = 0;
  for (const Frame& frame : frames)
    patches += frame.views.counted.defined() ? frame.views.counted_patches().size(0)
                                             : frame.views.rows.size(0);
  return patches;
}

int64_t Fit::patches() const {
  std::lock_guard lock(mutex_);
  return patches_of(frames_);
}

int64_t Fit::bank_rows(const std::vector<Frame>& frames) const {
  auto rows =
      static_cast<int64_t>(static_cast<double>(patches_of(frames)) * options_.coreset_ratio);
  if (options_.bank_size > 0)
    rows = options_.bank_size;
  else if (options_.max_bank_size > 0)
    rows = std::min(rows, options_.max_bank_size);
  return std::max<int64_t>(rows, 1);
}

/// Those that count, N x D on the network's device.
at::Tensor Fit::patches_of_views(const std::vector<Frame>& frames) const {
  std::vector<at::Tensor> parts;
  for (const Frame& frame : frames) parts.push_back(frame.views.that_count(frame.views.rows));
  const at::Tensor patches = at::cat(parts).to(backbone_->device());
  if (patches.size(0) == 0)
    throw Error(ErrorCode::InvalidArgument, "The mask leaves no patch to make a bank of.");
  if (!patches.isfinite().all().item<bool>())
    throw Error(ErrorCode::Failed, "The network's features are not finite.");
  return patches;
}

/// Of each row of a bank: the cells of all patches that it is the nearest of.
Positions Fit::positions_of(const std::vector<Frame>& frames, const at::Tensor& patches,
                            const NearestNeighbour& search, const Monitor& monitor) const {
  std::vector<at::Tensor> cells;
  for (const Frame& frame : frames) cells.push_back(frame.views.that_count(frame.views.cells()));
  const at::Tensor rows = search.search(patches, 1, monitor).rows.select(1, 0).cpu();
  return Positions::of(frames.front().views.grid(), search.size(), rows.contiguous(),
                       at::cat(cells));
}

MemoryBank Fit::build_from(const std::vector<Frame>& frames, int64_t rows_wanted,
                           const Monitor& monitor) const {
  const at::Tensor patches = patches_of_views(frames);
  const at::Tensor projected = project(patches, settings_.projection, options_.seed, monitor);
  monitor.check();
  const at::Tensor chosen =
      greedy_k_center(projected, std::min(rows_wanted, patches.size(0)),
                      coreset_seed(projected, settings_.coreset_start, options_.seed), monitor);

  MemoryBank bank;
  const at::Tensor rows = patches.index_select(0, chosen.to(patches.device()));
  const int64_t b = std::min<int64_t>(settings_.neighbours, rows.size(0));
  const NearestNeighbour search(rows, monitor);
  bank.neighbours = search.own_neighbours(b, monitor).cpu();
  bank.rows = rows.cpu();
  if (settings_.search_radius > 0) bank.positions = positions_of(frames, patches, search, monitor);
  bank.settings = settings_;
  bank.weights_id = backbone_->weights_id();
  bank.weights_location = backbone_->options().weights;
  bank.precision = nick(backbone_->options().precision);
  bank.seed = options_.seed;
  bank.frames = static_cast<int64_t>(frames.size());
  return bank;
}

/// The frames' numbers, so that each fold is one part of them.
std::vector<size_t> Fit::order_of_folds(size_t frames) const {
  std::vector<size_t> order(frames);
  std::iota(order.begin(), order.end(), size_t{0});
  if (options_.fold_order == Folds::Contiguous) return order;
  std::mt19937_64 random(options_.seed);
  // Fisher and Yates's; std::shuffle differs from library to library.
  for (size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random() % (i + 1)]);
  return order;
}

size_t Fit::folds_of(size_t frames) const {
  return std::min(static_cast<size_t>(options_.folds), frames);
}

/// What each frame scores with a bank of the other folds'.
std::vector<HeldOut> Fit::hold_out(const std::vector<Frame>& frames, const Monitor& monitor) const {
  const size_t folds = folds_of(frames.size());
  const int64_t rows = bank_rows(frames);
  const auto order = order_of_folds(frames.size());
  std::vector<HeldOut> scored(frames.size());
  for (size_t fold = 0; fold < folds; ++fold) {
    const Monitor part = monitor.part(static_cast<double>(fold) / static_cast<double>(folds),
                                      static_cast<double>(fold + 1) / static_cast<double>(folds));
    const size_t first = order.size() * fold / folds, last = order.size() * (fold + 1) / folds;
    score_fold(frames, std::span(order).subspan(first, last - first), rows, scored, part);
  }
  return scored;
}

Calibration Fit::calibrate(const std::vector<HeldOut>& scored, const Video& video,
                           const Monitor& monitor) const {
  auto calibration = Calibration::from_frames(scored, options_.false_alarms, video, monitor);
  std::ostringstream method;
  method << folds_of(scored.size()) << (options_.fold_order == Folds::Shuffled ? " shuffled" : "")
         << " folds, ";
  if (options_.false_alarms.per_hour > 0)
    method << options_.false_alarms.per_hour << " alarms an hour";
  else
    method << "false alarm rate " << options_.false_alarms.rate;
  calibration.method = method.str();
  return calibration;
}

/// Fills in what some frames score with a bank of all the others. It has as many rows as the bank
/// itself, whose resolution is to be judged: with fewer, the frames that it hasn't seen would lie
/// farther from it than from the bank.
void Fit::score_fold(const std::vector<Frame>& frames, std::span<const size_t> held_out,
                     int64_t rows, std::vector<HeldOut>& scored, const Monitor& monitor) const {
  std::vector<bool> is_out(frames.size(), false);
  for (const size_t index : held_out) is_out[index] = true;
  std::vector<Frame> seen;
  for (size_t i = 0; i < frames.size(); ++i)
    if (!is_out[i]) seen.push_back(frames[i]);
  const Detector detector(backbone_, std::make_shared<MemoryBank>(build_from(seen, rows, monitor)));
  for (const size_t index : held_out) {
    monitor.check();
    const Frame& frame = frames[index];
    Embedding one = frame.views;
    one.rows = one.image(0).to(backbone_->device());
    one.images = 1;
    if (one.counted.defined()) one.counted = one.counted.slice(0, 0, 1);
    const Result result = detector.score(one, frame.input).front();
    scored[index] = {static_cast<float>(result.score), static_cast<float>(result.map_peak)};
  }
}

}  // namespace patchcore
