// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bank_search.hpp"
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

/// Patch values with minus infinity in place of those that don't count. counted: n int64 on their
/// device, the patches that do; undefined: all.
at::Tensor without_uncounted(const at::Tensor& values, const at::Tensor& counted);

/// Scores and maps of some images, with one wait for the device.
/// nearest, values: what patch_values() took and gave, of all patches of the embedding, 0 of those
/// that don't count; candidates: the values as without_uncounted() gives them.
BatchScores score_batch(const Settings& settings, const Neighbours& nearest,
                        const at::Tensor& values, const at::Tensor& candidates,
                        const Embedding& embedding, Size input, const BankSearch& search);

}  // namespace patchcore
