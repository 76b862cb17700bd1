// SPDX-License-Identifier: LGPL-2.1-or-later
#include "batch_scoring.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace patchcore {
namespace {

/// Distances in fp64 from each patch (N x D) to its own rows (N x b) of the bank: N x b.
at::Tensor distances_to(const at::Tensor& patches, const at::Tensor& bank, const at::Tensor& rows) {
  const at::Tensor members = bank.index_select(0, rows.flatten()).unflatten(0, rows.sizes());
  return (members.to(at::kDouble) - patches.to(at::kDouble).unsqueeze(1)).square_().sum(2).sqrt_();
}

/// What the score is made of besides the worst patch's value: N x b double, b = 0 where nothing is.
at::Tensor ingredients(const Settings& settings, const Neighbours& nearest,
                       const at::Tensor& values, const at::Tensor& rows, const at::Tensor& worst,
                       const NearestNeighbour& search, const at::Tensor& own_neighbours) {
  const auto patches = [&] { return rows.index_select(0, worst); };
  switch (settings.image_scoring) {
    case ImageScoring::Reweighted: {
      const at::Tensor closest = nearest.rows.select(1, 0).index_select(0, worst);
      return distances_to(patches(), search.bank(), own_neighbours.index_select(0, closest));
    }
    case ImageScoring::Article: {
      const int64_t k = std::min<int64_t>(settings.neighbours, search.size());
      return distances_to(patches(), search.bank(), search.search(patches(), k).rows);
    }
    case ImageScoring::TopMean: {
      const int64_t count = std::min<int64_t>(settings.top_patches, values.size(1));
      return std::get<0>(values.topk(count, 1)).mean(at::IntArrayRef{1}, true, at::kDouble);
    }
    case ImageScoring::MapMaximum:
    case ImageScoring::Maximum: break;
  }
  return at::empty({values.size(0), 0}, values.options().dtype(at::kDouble));
}

double score_of(const Settings& settings, double value, double map_peak,
                const at::Tensor& ingredients, bool plain) {
  switch (settings.image_scoring) {
    case ImageScoring::Reweighted:
      return plain ? reweighted_score(ingredients) : reweighting(ingredients) * value;
    case ImageScoring::Article: return article_score(ingredients);
    case ImageScoring::TopMean: return ingredients[0].item<double>();
    case ImageScoring::MapMaximum: return map_peak;
    case ImageScoring::Maximum: break;
  }
  return value;
}

/// On their way to the CPU; there when a later copy that is waited for is.
at::Tensor begin_copy(const at::Tensor& maps) {
  if (maps.is_cpu()) return maps.contiguous();
  const at::Tensor copy =
      at::empty(maps.sizes(), maps.options().device(at::kCPU).pinned_memory(true));
  return copy.copy_(maps, /*non_blocking=*/true);
}

}  // namespace

BatchScores score_batch(const Settings& settings, const Neighbours& nearest,
                        const at::Tensor& values, const Embedding& embedding, Size input,
                        const NearestNeighbour& search, const at::Tensor& own_neighbours) {
  const int64_t images = embedding.images, patches = embedding.patches();
  const at::Tensor of_images = values.reshape({images, patches});
  const at::Tensor maps =
      anomaly_maps(settings, of_images.reshape({images, embedding.height, embedding.width}), input);
  BatchScores scores;
  scores.maps = begin_copy(maps);

  const at::Tensor worst = of_images.argmax(1);
  const at::Tensor firsts = at::arange(images, worst.options()).mul_(patches);
  const at::Tensor found = at::cat({worst.unsqueeze(1).to(at::kDouble),
                                    of_images.gather(1, worst.unsqueeze(1)).to(at::kDouble),
                                    maps.flatten(1).amax(1, true).to(at::kDouble),
                                    ingredients(settings, nearest, of_images, embedding.rows,
                                                firsts + worst, search, own_neighbours)},
                                   1)
                               .cpu();
  const bool plain = settings.distance == Distance::L2 && nearest.distances.size(1) == 1;
  for (int64_t i = 0; i < images; ++i) {
    const at::Tensor image = found[i];
    const double* of_image = image.data_ptr<double>();
    scores.map_peaks.push_back(of_image[2]);
    scores.images.push_back({score_of(settings, of_image[1], of_image[2], image.slice(0, 3), plain),
                             static_cast<int64_t>(of_image[0])});
  }
  return scores;
}

}  // namespace patchcore
