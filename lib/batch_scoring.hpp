// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "patch_embedding.hpp"
#include "scoring.hpp"

namespace patchcore {

/// Images of one size, scored together.
struct BatchScores {
  std::vector<ImageScore> images;
  at::Tensor maps;  ///< N x H x W float on the CPU; from a GPU in memory that it copies to itself
  std::vector<double> map_peaks;
};

/// What score_image() and anomaly_map() find for each image, with two waits for the device in all.
/// nearest, values: of all images' patches, one image after the other; rows: (N * h * w) x D.
BatchScores score_batch(const Settings& settings, const Neighbours& nearest,
                        const at::Tensor& values, const Embedding& embedding, Size input,
                        const NearestNeighbour& search, const at::Tensor& own_neighbours);

}  // namespace patchcore
