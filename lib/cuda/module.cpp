// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/module.hpp"

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "error.hpp"

namespace patchcore::cuda {
namespace {

constexpr const char* kName = "libpatchcore-cuda.so";

/// Beside the library or program that this is a part of, else where the linker looks.
void* open_module() {
  Dl_info here{};
  if (dladdr(reinterpret_cast<const void*>(&kernels), &here) && here.dli_fname) {
    const auto beside = std::filesystem::path(here.dli_fname).replace_filename(kName);
    if (void* module = dlopen(beside.c_str(), RTLD_NOW | RTLD_LOCAL)) return module;
  }
  return dlopen(kName, RTLD_NOW | RTLD_LOCAL);
}

c10::Stream stream_of(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

}  // namespace

const Kernels* kernels() {
  static const Kernels* const found = []() -> const Kernels* {
    void* module = open_module();
    void* get = module ? dlsym(module, kGetKernels) : nullptr;
    return get ? reinterpret_cast<GetKernels>(get)(kInterface) : nullptr;
  }();
  return found;
}

Stream current_stream(c10::Device device) {
  return device.is_cuda() ? stream_of(device).native_handle() : nullptr;
}

void synchronize(c10::Device device) {
  if (device.is_cuda()) stream_of(device).synchronize();
}

void check(const char* error) {
  if (error) throw Error(ErrorCode::Failed, std::string("The GPU can't go on: ") + error + ".");
}

Type type_of(at::ScalarType type) {
  switch (type) {
    case at::kByte: return Type::Byte;
    case at::kFloat: return Type::Float;
    case at::kHalf: return Type::Half;
    case at::kBFloat16: return Type::BFloat16;
    default: break;
  }
  throw Error(ErrorCode::Failed, "There is no kernel for such values.");
}

}  // namespace patchcore::cuda
