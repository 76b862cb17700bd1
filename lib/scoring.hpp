// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "image.hpp"
#include "nearest_neighbour.hpp"
#include "settings.hpp"

namespace patchcore {

/// Eq. 7: (1 - exp(d*) / sum exp(d)) * d*, with d* the distance to m* and d those to the members of
/// N_b(m*), d* among them. Computed as -expm1(d* - logsumexp(d)) * d*, since exp(100) is too much
/// for a float. distances: ... x b double, d* first; b = 1 gives d*.
at::Tensor reweighted_score(const at::Tensor& distances);

/// What Eq. 7 multiplies the patch's value by; 1 with b = 1.
at::Tensor reweighting(const at::Tensor& distances);

/// The article's: -expm1(max d - logsumexp(d)) * min d, over the worst patch's own k distances.
/// distances: ... x k double.
at::Tensor article_score(const at::Tensor& distances);

/// Each patch's value in the settings' distance: the mean over its nearest rows.
/// nearest: as many neighbours a patch as patch_values_need() says. Returns P floats.
at::Tensor patch_values(const Settings& settings, const Neighbours& nearest);

/// Nearest rows that a patch's value is made of, in a bank of so many rows.
int64_t patch_values_need(const Settings& settings, int64_t bank_rows);

/// The anomaly map of one image: patch values brought to the input's size and blurred. Both
/// are linear and go by lines and columns, so that they are two products of small matrices.
/// patches: h x w float, in the settings' distance. Returns input.height x input.width float.
at::Tensor anomaly_map(const Settings& settings, const at::Tensor& patches, Size input);

/// The same of several images: N x h x w to N x input.height x input.width. counted: N x h x w
/// bool, or undefined: patches elsewhere have no part in the blur, and the map is 0 there.
at::Tensor anomaly_maps(const Settings& settings, const at::Tensor& patches, Size input,
                        const at::Tensor& counted = {});

}  // namespace patchcore
