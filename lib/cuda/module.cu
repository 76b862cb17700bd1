// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/functions.hpp"

extern "C" __attribute__((visibility("default"))) const patchcore::cuda::Kernels*
patchcore_cuda_kernels(int interface) {
  return interface == patchcore::cuda::kInterface ? &patchcore::cuda::kKernels : nullptr;
}
