// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <dlfcn.h>
#include <unwind.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>

#include "error.hpp"
#include "onednn.hpp"

namespace patchcore {
namespace {

/// Beside the CPU's half, which may be that of a program that imported torch: the halves of two
/// installations don't fit together.
std::string cuda_half() {
  Dl_info cpu_half{};
  const auto* function = reinterpret_cast<const void*>(&at::globalContext);
  if (!dladdr(function, &cpu_half) || !cpu_half.dli_fname) return "libtorch_cuda.so";
  return std::filesystem::path(cpu_half.dli_fname).replace_filename("libtorch_cuda.so");
}

/// As this library was bound itself: where it was told to look among its dependencies first, that
/// is since the process has another unwinder, and no exception may meet both.
int binding() {
  void* process = dlopen(nullptr, RTLD_LAZY);
  const void* common = dlsym(process, "_Unwind_Resume");
  dlclose(process);
  return common && common != reinterpret_cast<const void*>(&_Unwind_Resume) ? RTLD_DEEPBIND : 0;
}

/// LibTorch's CUDA half registers itself when it is loaded. It is not linked, so that a machine
/// without a GPU needs none of CUDA's libraries. Returns why it can't be used, or nothing.
std::string load_cuda() {
  static std::once_flag once;
  static auto& reason = *new std::string;
  std::call_once(once, [] {
    // The driver first: it is small, and without it the other's half gigabyte is for nothing.
    for (const std::string& library : {std::string("libcuda.so.1"), cuda_half()}) {
      if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL | binding())) continue;
      const char* text = dlerror();
      reason = text ? text : library + " can't be loaded";
      return;
    }
    if (!at::globalContext().hasCUDA() || at::getNumGPUs() == 0) reason = "no GPU was found";
  });
  return reason;
}

c10::Device cuda_device(std::string_view index_text) {
  int index = 0;
  if (!index_text.empty()) {
    auto [end, error] =
        std::from_chars(index_text.data(), index_text.data() + index_text.size(), index);
    if (error != std::errc() || end != index_text.data() + index_text.size() || index < 0)
      throw Error(ErrorCode::InvalidArgument,
                  "\"cuda:" + std::string(index_text) + "\" is not a device.");
  }
  if (const std::string reason = load_cuda(); !reason.empty())
    throw Error(ErrorCode::Init, "CUDA can't be used: " + reason + ".");
  if (static_cast<size_t>(index) >= at::getNumGPUs())
    throw Error(ErrorCode::Init, "There is no GPU cuda:" + std::to_string(index) + ".");
  return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace

c10::Device parse_device(std::string_view text) {
  if (text == "cpu") return c10::DeviceType::CPU;
  if (text == "auto") {
    return load_cuda().empty() ? c10::Device(c10::DeviceType::CUDA, 0)
                               : c10::Device(c10::DeviceType::CPU);
  }
  if (text == "cuda") return cuda_device("");
  if (text.starts_with("cuda:")) return cuda_device(text.substr(5));
  throw Error(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is not a device; take auto, cpu or cuda:N.");
}

Precision fastest_precision(c10::Device device) {
  if (device.is_cpu()) return onednn::has_fast_bf16() ? Precision::Bf16 : Precision::Fp32;
  const c10::DeviceGuard guard(device);
  const bool bf16 = at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
  return bf16 ? Precision::Bf16 : Precision::Fp32;
}

namespace {

constexpr std::array<std::pair<Precision, const char*>, 4> kPrecisions{{
    {Precision::Auto, "auto"},
    {Precision::Fp32, "fp32"},
    {Precision::Bf16, "bf16"},
    {Precision::Fp16, "fp16"},
}};

}  // namespace

Precision parse_precision(std::string_view text) {
  for (const auto& [precision, name] : kPrecisions)
    if (text == name) return precision;
  throw Error(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is not a precision; take auto, fp32, bf16 or fp16.");
}

const char* nick(Precision precision) {
  for (const auto& [known, name] : kPrecisions)
    if (known == precision) return name;
  return "?";
}

}  // namespace patchcore
