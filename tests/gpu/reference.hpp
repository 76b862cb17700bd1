// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/kernels.hpp"

namespace patchcore::cuda {

/// Each kernel as plain loops on the CPU: what the kernels are held against, and what their host
/// side runs with where there is no GPU. Streams are ignored.
const Kernels& reference_kernels();

/// The kernels themselves, compiled as C++ and run by an emulator on the CPU.
const Kernels& emulated_kernels();

}  // namespace patchcore::cuda
