// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "patch_embedding.hpp"
#include "scoring.hpp"

namespace patchcore {

/// An image's score and the patch that decided it.
struct ImageScore {
  double score = 0;
  int64_t patch = 0;  ///< arg max of the patch values, the first of equals
};

/// Images of one size, scored together.
struct BatchScores {
  std::vector<ImageScore> images;
  at::Tensor maps;  ///< N x H x W float on the CPU; from a GPU, in memory that it copies to
  std::vector<double> map_peaks;
};

/// Patch values with minus infinity in place of those that don't count.
at::Tensor without_uncounted(const Embedding& embedding, const at::Tensor& values);

/// Scores and maps of some images, with one wait for the device.
/// nearest, values: what patch_values() took and gave, of all patches of the embedding, 0 of those
/// that don't count;
/// own_neighbours: K x b, see NearestNeighbour::own_neighbours.
BatchScores score_batch(const Settings& settings, const Neighbours& nearest,
                        const at::Tensor& values, const Embedding& embedding, Size input,
                        const NearestNeighbour& search, const at::Tensor& own_neighbours);

}  // namespace patchcore
