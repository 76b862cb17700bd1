// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pictures.hpp"

#include <ATen/ATen.h>

#include "error.hpp"
#include "inference.hpp"
#include "patch_embedding.hpp"
#include "safetensors.hpp"

using namespace patchcore;

Pictures::Pictures(const std::string& file) : rgb_(SafetensorsReader(file).tensor("pictures")) {
  if (rgb_.scalar_type() != at::kByte || rgb_.dim() != 4 || rgb_.size(3) != 3 || count() == 0)
    throw Error(ErrorCode::OpenRead, "\"" + file + "\" holds no N x H x W x 3 bytes.");
}

Size Pictures::size() const {
  return {static_cast<int>(rgb_.size(2)), static_cast<int>(rgb_.size(1))};
}

std::vector<Result> Pictures::score(const Detector& detector, std::span<const int64_t> indices,
                                    size_t batch) const {
  std::vector<Result> results;
  for (; !indices.empty(); indices = indices.subspan(std::min(batch, indices.size()))) {
    std::vector<Request> requests(std::min(batch, indices.size()));
    for (size_t i = 0; i < requests.size(); ++i) {
      requests[i].rgb = rgb_[indices[i]].data_ptr<uint8_t>();
      requests[i].detector = &detector;
    }
    infer(detector.backbone(), size(), requests);
    for (Request& request : requests) results.push_back(std::move(request.result));
  }
  return results;
}

at::Tensor Pictures::embed(const Backbone& backbone, const Settings& settings) const {
  constexpr int64_t kBatch = 8;
  const PatchEmbedding embedding(settings);
  std::vector<at::Tensor> rows;
  for (int64_t first = 0; first < count(); first += kBatch) {
    const at::Tensor some = rgb_.slice(0, first, std::min(first + kBatch, count()));
    const auto features = backbone.features(Preprocess::normalise(some.to(backbone.device())));
    rows.push_back(embedding(features).rows.cpu());
  }
  return at::cat(rows);
}

std::shared_ptr<const Detector> open_bank(const std::string& bank, const std::string& weights,
                                          const std::string& device, const std::string& precision) {
  const auto rows = MemoryBank::get(bank);
  return Detector::get(
      Backbone::get(backbone_options_for(*rows, weights, device, parse_precision(precision))),
      rows);
}
