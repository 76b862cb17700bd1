// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/functions.hpp"
#include "reference.hpp"

namespace patchcore::cuda {

const Kernels& emulated_kernels() { return kKernels; }

}  // namespace patchcore::cuda
