// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "image.hpp"

namespace patchcore {

/// Throws Error(InvalidArgument) where samples can't lie as they are said to.
void check_samples(const Samples& samples);
void check_samples(const SampledImage& image);

/// Each component, antialiased and bilinear as Preprocess has it, whatever its own resolution:
/// height x width floats, or bytes where `rounded` and all samples are of 8 bits, which is faster.
std::array<at::Tensor, 3> resized_components(const SampledImage& image, Size size, bool rounded);

/// Pixels of three components as red, green, blue, clamped to 0..255. from: those of
/// resized_components(); first: the first pixel in each.
template <typename Value>
void convert_to_rgb(const std::array<std::array<float, 4>, 3>& to_rgb,
                    const std::array<at::Tensor, 3>& from, int64_t first, int64_t count,
                    Value* rgb);

}  // namespace patchcore
