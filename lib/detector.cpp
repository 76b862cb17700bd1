// SPDX-License-Identifier: LGPL-2.1-or-later
#include "detector.hpp"

#include <ATen/ATen.h>

#include <filesystem>

#include "batch_scoring.hpp"
#include "weak_cache.hpp"
#include "weights.hpp"

namespace patchcore {
namespace {

std::string names(const std::vector<std::string>& layers) {
  std::string text;
  for (const auto& layer : layers) text += (text.empty() ? "" : ", ") + layer;
  return text;
}

void check_compatible(const Backbone& backbone, const MemoryBank& bank) {
  const std::vector<std::string>& layers = backbone.options().layers;
  const auto refuse = [&](const char* what, const std::string& bank_has, const std::string& given) {
    const std::string& weights = backbone.options().weights;
    throw Error(ErrorCode::Incompatible,
                "The bank" + (bank.origin.empty() ? "" : " \"" + bank.origin + "\"") +
                    " was made with " + what + " " + bank_has + ", given is " + given +
                    (weights.empty() ? "" : " (\"" + weights + "\")") + ".");
  };
  if (bank.settings.backbone != backbone.options().name)
    refuse("the backbone", bank.settings.backbone, backbone.options().name);
  if (bank.settings.layers != layers)
    refuse("the layers", names(bank.settings.layers), names(layers));
  if (bank.weights_id != backbone.weights_id())
    refuse("the weights", bank.weights_id, backbone.weights_id());
}

/// Which values are at or above a bound, the largest first.
at::Tensor at_or_above(const at::Tensor& values, double bound) {
  const at::Tensor order = std::get<1>(values.sort(/*stable=*/true, 0, /*descending=*/true));
  const int64_t count = values.to(at::kDouble).ge(bound).sum().item<int64_t>();
  return order.slice(0, 0, count);
}

/// Where the bank says that they were, else where they are fetched to. Whether they are the same is
/// seen when the two meet. None where that would run a program.
std::string weights_of(const MemoryBank& bank) {
  if (runs_its_file(bank.settings.backbone)) return "";
  std::error_code none;
  const std::filesystem::path fetched = cached_weights(bank.settings.backbone);
  const bool moved = !std::filesystem::exists(bank.weights_location, none) &&
                     std::filesystem::exists(fetched, none);
  return moved ? fetched.string() : bank.weights_location;
}

}  // namespace

Detector::Detector(std::shared_ptr<const Backbone> backbone, std::shared_ptr<const MemoryBank> bank,
                   const Monitor& monitor)
    : backbone_((check_compatible(*backbone, *bank), std::move(backbone))),
      bank_(std::move(bank)),
      preprocess_(bank_->settings, backbone_->stride()),
      search_(*bank_, backbone_->device(), monitor) {}

std::shared_ptr<const Detector> Detector::get(const std::shared_ptr<const Backbone>& backbone,
                                              const std::shared_ptr<const MemoryBank>& bank,
                                              const Monitor& monitor) {
  // A detector keeps both alive: an address can't be another object's while one of it is known.
  static auto& cache = *new WeakCache<std::pair<const Backbone*, const MemoryBank*>, Detector>;
  return cache.get(
      {backbone.get(), bank.get()},
      [&] { return std::make_shared<const Detector>(backbone, bank, monitor); }, monitor);
}

/// Those of all patches; 0 of what doesn't count, which isn't searched for.
Neighbours Detector::nearest(const Embedding& embedding, const at::Tensor& counted) const {
  const int64_t k = patch_values_need(settings(), bank_->size());
  if (!counted.defined()) return search_.nearest(embedding, {}, k);
  const int64_t patches = embedding.rows.size(0);
  Neighbours all{at::zeros({patches, k}, embedding.rows.options()),
                 at::zeros({patches, k}, embedding.rows.options().dtype(at::kLong))};
  if (counted.size(0) == 0) return all;
  const Neighbours found = search_.nearest(embedding, counted, k);
  all.distances.index_copy_(0, counted, found.distances);
  all.rows.index_copy_(0, counted, found.rows);
  return all;
}

std::vector<Result> Detector::score(const Embedding& embedding, Size input,
                                    std::optional<double> keep_above) const {
  if (embedding.rows.size(1) != bank_->width())
    throw Error(ErrorCode::Incompatible, "The bank's rows have " + std::to_string(bank_->width()) +
                                             " values, the network's patches " +
                                             std::to_string(embedding.rows.size(1)) + ".");
  at::Tensor counted = embedding.counted_patches();
  if (counted.defined()) counted = counted.to(embedding.rows.device());
  const Neighbours found = nearest(embedding, counted);
  const at::Tensor values = patch_values(settings(), found);
  const at::Tensor candidates = without_uncounted(values, counted);
  const BatchScores scores =
      score_batch(settings(), found, values, candidates, embedding, input, search_);
  const at::Tensor cells = keep_above ? embedding.cells() : at::Tensor();
  std::vector<Result> results;
  for (int64_t i = 0; i < embedding.images; ++i) {
    const ImageScore& image = scores.images[i];
    Result result;
    result.map = scores.maps[i];
    result.map_peak = scores.map_peaks[i];
    result.score = image.score;
    result.normalized_score = bank_->calibration.normalise(image.score);
    const Place peak = embedding.place(image.patch);
    result.peak_x =
        (static_cast<double>(peak.x) + 0.5) / static_cast<double>(embedding.grid_width());
    result.peak_y =
        (static_cast<double>(peak.y) + 0.5) / static_cast<double>(embedding.grid_height());
    if (keep_above) {
      const at::Tensor kept = at_or_above(embedding.of_image(candidates, i), *keep_above);
      result.patches = embedding.image(i).index_select(0, kept).cpu();
      result.cells = embedding.of_image(cells, i).index_select(0, kept.cpu());
    }
    results.push_back(std::move(result));
  }
  return results;
}

BackboneOptions backbone_options_for(const MemoryBank& bank, const std::string& weights,
                                     const std::string& device, Precision precision) {
  BackboneOptions options;
  options.name = bank.settings.backbone;
  options.layers = bank.settings.layers;
  options.weights = weights.empty() ? weights_of(bank) : weights;
  options.device = device;
  options.precision = precision;
  return options;
}

}  // namespace patchcore
