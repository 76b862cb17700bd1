// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "monitor.hpp"

namespace patchcore {

/// The first principal axes of rows, N x D float on any device, as D x count double on the CPU:
/// orthonormal columns, close to the axes of the largest variance, the largest first. count <= D.
at::Tensor principal_axes(const at::Tensor& rows, int64_t count, const Monitor& monitor = {});

}  // namespace patchcore
