// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inference.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstring>

#include "parallel.hpp"

namespace patchcore {
namespace {

at::Tensor gather(Size input, std::span<const Request> requests) {
  const int64_t n = static_cast<int64_t>(requests.size());
  const at::Tensor rgb = at::empty({n, input.height, input.width, 3}, at::kByte);
  const size_t bytes = rgb.nbytes() / requests.size();
  auto* out = rgb.data_ptr<uint8_t>();
  for (const Request& request : requests) {
    std::memcpy(out, request.rgb, bytes);
    out += bytes;
  }
  return rgb;
}

const Settings& settings_of(const Request& request) {
  return request.detector ? request.detector->settings() : request.fit->settings();
}

/// One image's feature maps out of a batch's, sharing memory.
std::vector<at::Tensor> slice(const std::vector<at::Tensor>& features, int64_t index) {
  std::vector<at::Tensor> parts;
  for (const auto& map : features) parts.push_back(map.slice(0, index, index + 1));
  return parts;
}

/// Scores those that have a detector, and returns each one's patches.
std::vector<Embedding> embed_and_score(const Backbone& backbone, Size input,
                                       std::span<Request> requests) {
  const at::Tensor rgb = gather(input, requests).to(backbone.device());
  const auto features = backbone.features(Preprocess::normalise(rgb));
  std::vector<Embedding> embeddings;
  for (size_t i = 0; i < requests.size(); ++i) {
    Request& r = requests[i];
    embeddings.push_back(PatchEmbedding(settings_of(r))(slice(features, static_cast<int64_t>(i))));
    if (r.detector)
      r.result = std::move(r.detector->score(embeddings[i], input, r.keep_above).front());
  }
  return embeddings;
}

}  // namespace

void infer(const Backbone& backbone, Size input, std::span<Request> requests) {
  if (requests.empty()) return;
  const c10::InferenceMode no_gradients;
  std::vector<Embedding> embeddings(requests.size());
  if (backbone.device().is_cpu() && occupies_threads(requests.size())) {
    for_each(requests.size(), [&](size_t i) {
      embeddings[i] = std::move(embed_and_score(backbone, input, requests.subspan(i, 1)).front());
    });
  } else {
    embeddings = embed_and_score(backbone, input, requests);
  }
  // Last, so that a failed batch has added nothing and can be tried again.
  for (size_t i = 0; i < requests.size(); ++i)
    if (requests[i].fit) requests[i].fit->add(embeddings[i], input);
}

}  // namespace patchcore
