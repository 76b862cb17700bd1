// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "cuda/kernels.hpp"

namespace patchcore::cuda {

/// The kernels of libpatchcore-cuda.so, or null where it isn't installed, can't be loaded, is of
/// another version, or no GPU can run them: LibTorch's own kernels then do the work. Asked for once
/// in a process, when a CUDA device is in use or frames may be in CUDA memory.
const Kernels* kernels();

/// LibTorch's current one on a GPU; null on a CPU, where the kernels' reference runs.
Stream current_stream(c10::Device device);

/// Waits for all that is on the current stream.
void synchronize(c10::Device device);

/// Throws Error(Failed) where a kernel says what went wrong.
void check(const char* error);

/// Where a tensor's values are. Value: as the kernels see them.
template <typename Value>
Value* pointer(const at::Tensor& tensor) {
  return static_cast<Value*>(tensor.data_ptr());
}

/// Throws Error(Failed) for a type that kernels don't know.
Type type_of(at::ScalarType type);

}  // namespace patchcore::cuda
