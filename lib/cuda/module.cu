// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/device.cuh"
#include "cuda/functions.hpp"

extern "C" __attribute__((visibility("default"))) const patchcore::cuda::Kernels*
patchcore_cuda_kernels(int interface) {
  const bool usable =
      interface == patchcore::cuda::kInterface && !patchcore::cuda::why_unusable();
  return usable ? &patchcore::cuda::kKernels : nullptr;
}
