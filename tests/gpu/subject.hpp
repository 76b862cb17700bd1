// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kernels a program tests, and what its tests share.
#pragma once

#include <algorithm>
#include <string_view>

#include "../unit/support.hpp"
#include "cuda/module.hpp"
#include "device.hpp"
#include "reference.hpp"

namespace subject {

/// The module's on the first GPU, or the emulated ones.
inline c10::Device device = c10::DeviceType::CPU;
inline const patchcore::cuda::Kernels* kernels = nullptr;

inline bool is_gpu(int argc, char** argv) { return argc > 1 && std::string_view(argv[1]) == "gpu"; }

/// Why there is nothing to test, or null.
inline const char* find_gpu() {
  static std::string why;
  try {
    device = patchcore::parse_device("cuda");
  } catch (const patchcore::Error& error) {
    why = error.what();
    return why.c_str();
  }
  kernels = patchcore::cuda::kernels();
  return kernels ? nullptr : "libpatchcore-cuda.so isn't there";
}

inline int run(int argc, char** argv, Suite* suite) {
  if (is_gpu(argc, argv)) {
    if (const char* why = find_gpu()) return skip_suite(why);
    ::setenv("CK_FORK", "no", 1);  // CUDA doesn't outlive a fork
  } else {
    kernels = &patchcore::cuda::emulated_kernels();
  }
  return run_suite(suite);
}

inline at::Tensor there(const at::Tensor& tensor) { return tensor.to(device).contiguous(); }

inline void check(const char* error) {
  ck_assert_msg(!error, "%s", error);
  patchcore::cuda::synchronize(device);
}

inline patchcore::cuda::Stream stream() { return patchcore::cuda::current_stream(device); }

}  // namespace subject
