// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace patchcore {

/// Parts of the first dimension, in order, of a million values or one row each: what can be worked
/// on between two looks at a monitor. They share memory with `values`.
std::vector<at::Tensor> blocks(const at::Tensor& values);

}  // namespace patchcore
