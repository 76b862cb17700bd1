// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

/// oneDNN's convolutions as LibTorch's own compiler calls them: weights in the layout that the
/// kernel reads, and what follows a convolution done while its result is in registers.
namespace patchcore::onednn {

/// What follows a convolution, and its sum with another tensor.
enum class Activation { None, ReLU, ReLU6 };

struct Geometry {
  std::array<int64_t, 2> padding, stride;
  int64_t groups = 1;
};

/// Whether this LibTorch has them for such numbers on this CPU.
bool convolves(at::ScalarType type);

/// Whether this CPU multiplies bf16 in hardware, and oneDNN makes use of it.
bool has_fast_bf16();

/// Out x in / groups x h x w -> the kernel's layout, which only convolution() reads. It depends on
/// the input's size, N x in x H x W, a little: another size than this one is computed with the
/// same result, and may take longer.
at::Tensor packed(const at::Tensor& weight, const Geometry& geometry, at::IntArrayRef input);

/// x: channels last.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                       const Geometry& geometry, Activation activation);

/// Makes `sum` activation(convolution + sum), in place, since the operator that returns a new one
/// begins with a copy. activation: None or ReLU. sum: of the result's size, channels last.
void add_convolution(at::Tensor& sum, const at::Tensor& x, const at::Tensor& packed,
                     const at::Tensor& bias, const Geometry& geometry, Activation activation);

}  // namespace patchcore::onednn
