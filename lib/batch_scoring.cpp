// SPDX-License-Identifier: LGPL-2.1-or-later
#include "batch_scoring.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace patchcore {
namespace {

/// Distances in fp64 from each patch (N x D) to its own rows (N x b) of the bank: N x b.
at::Tensor distances_to(const at::Tensor& patches, const at::Tensor& bank, const at::Tensor& rows) {
  const at::Tensor members = bank.index_select(0, rows.flatten()).unflatten(0, rows.sizes());
  return (members.to(at::kDouble) - patches.to(at::kDouble).unsqueeze(1)).square_().sum(2).sqrt_();
}

/// The mean of the largest values, of fewer where no more count.
at::Tensor top_mean(const at::Tensor& values, int64_t count) {
  const at::Tensor top = std::get<0>(values.topk(std::min(count, values.size(1)), 1));
  const at::Tensor known = top.isfinite();
  const at::Tensor sum = top.masked_fill(known.logical_not(), 0).sum(1, false, at::kDouble);
  return sum / known.sum(1).clamp_min(1);
}

/// The images' scores, N double. values: N x P, none twice; worst_values, map_peaks: N; worst: of
/// all patches of the embedding.
at::Tensor scores_of(const Settings& settings, const Neighbours& nearest, const at::Tensor& values,
                     const at::Tensor& worst_values, const at::Tensor& map_peaks,
                     const Embedding& embedding, const at::Tensor& worst,
                     const BankSearch& search) {
  const auto distances = [&](const at::Tensor& members) {
    return distances_to(embedding.rows.index_select(0, worst), search.all().bank(), members);
  };
  switch (settings.image_scoring) {
    case ImageScoring::Reweighted: {
      const at::Tensor closest = nearest.rows.select(1, 0).index_select(0, worst);
      const at::Tensor d = distances(search.own_neighbours().index_select(0, closest));
      const bool plain = settings.distance == Distance::L2 && nearest.distances.size(1) == 1;
      return plain ? reweighted_score(d) : reweighting(d) * worst_values;
    }
    case ImageScoring::Article: {
      const int64_t k = std::min<int64_t>(settings.neighbours, search.all().size());
      return article_score(distances(search.nearest(embedding, worst, k).rows));
    }
    case ImageScoring::TopMean: return top_mean(values, settings.top_patches);
    case ImageScoring::MapMaximum: return map_peaks;
    case ImageScoring::Maximum: break;
  }
  return worst_values;
}

/// On their way to the CPU; there when a later copy that is waited for is.
at::Tensor begin_copy(const at::Tensor& maps) {
  if (maps.is_cpu()) return maps.contiguous();
  const at::Tensor copy =
      at::empty(maps.sizes(), maps.options().device(at::kCPU).pinned_memory(true));
  return copy.copy_(maps, /*non_blocking=*/true);
}

}  // namespace

at::Tensor without_uncounted(const at::Tensor& values, const at::Tensor& counted) {
  if (!counted.defined()) return values;
  const at::Tensor left = at::full_like(values, -std::numeric_limits<double>::infinity());
  return left.index_copy_(0, counted, values.index_select(0, counted));
}

BatchScores score_batch(const Settings& settings, const Neighbours& nearest,
                        const at::Tensor& values, const at::Tensor& candidates,
                        const Embedding& embedding, Size input, const BankSearch& search) {
  const int64_t images = embedding.images, patches = embedding.patches();
  const at::Tensor of_images = values.reshape({images, patches});
  const at::Tensor grids = embedding.joined(of_images);
  const at::Tensor maps = anomaly_maps(settings, grids, input, embedding.counted);
  BatchScores scores;
  scores.maps = begin_copy(maps);

  const at::Tensor worst = candidates.reshape({images, patches}).argmax(1);
  const at::Tensor firsts = at::arange(images, worst.options()).mul_(patches);
  const at::Tensor worst_values = of_images.gather(1, worst.unsqueeze(1)).squeeze(1);
  const at::Tensor peaks = maps.flatten(1).amax(1).to(at::kDouble);
  at::Tensor of_all = scores_of(
      settings, nearest, embedding.joined(candidates.reshape({images, patches})).flatten(1),
      worst_values.to(at::kDouble), peaks, embedding, firsts + worst, search);
  if (embedding.counted.defined())
    of_all = of_all * embedding.counted.flatten(1).any(1).to(of_all.device());
  const at::Tensor found = at::stack({of_all, worst.to(at::kDouble), peaks}).cpu();
  const auto of = found.accessor<double, 2>();
  for (int64_t i = 0; i < images; ++i) {
    scores.images.push_back({of[0][i], static_cast<int64_t>(of[1][i])});
    scores.map_peaks.push_back(of[2][i]);
  }
  return scores;
}

}  // namespace patchcore
