// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "cuda/kernels.hpp"
#include "patch_embedding.hpp"

namespace patchcore::cuda {

/// Preprocess::normalise() in one pass, to values of a network's own type, channels last.
at::Tensor normalise(const at::Tensor& rgb, at::ScalarType type, const Kernels& kernels);

/// PatchEmbedding in one pass a map; none where the settings' neighbourhood isn't averaged, or maps
/// have another type than float, half or bfloat16.
std::optional<Embedding> embed(const std::vector<at::Tensor>& features, const Settings& settings,
                               const Kernels& kernels);

}  // namespace patchcore::cuda
