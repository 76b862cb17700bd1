// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cudaframes.hpp"

#include <dlfcn.h>

#include "handles.hpp"

namespace gstpatchcore {
namespace {

constexpr const char* kFeature = "memory:CUDAMemory";

struct Opened {
  const CudaModule* module = nullptr;
  const char* reason = nullptr;
};

/// Where this plugin's RUNPATH says; never closed. The driver first: without it gstreamer-cuda,
/// with OpenGL behind it, is for nothing.
Opened open_module() {
  if (!dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) return {nullptr, "there is no CUDA driver"};
  void* handle = dlopen(CUDA_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void* get = handle ? dlsym(handle, kGetCudaModule) : nullptr;
  const CudaModule* module =
      get ? reinterpret_cast<GetCudaModule>(get)(kCudaModuleInterface) : nullptr;
  if (!module) return {nullptr, "the plugin's " CUDA_MODULE " isn't there, or can't be loaded"};
  if (!module->load()) return {nullptr, "the CUDA driver is too old for GStreamer"};
  return {module, nullptr};
}

/// Once libpatchcore is open.
bool have_kernels() { return !library_is_open() || library().patchcore_cuda_is_available(nullptr); }

}  // namespace

const CudaModule* cuda_module(const char** reason) {
  static const Opened opened = open_module();
  if (reason) *reason = opened.reason;
  return opened.module;
}

bool is_cuda(GstCaps* caps) {
  for (guint i = 0; i < gst_caps_get_size(caps); ++i)
    if (gst_caps_features_contains(gst_caps_get_features(caps, i), kFeature)) return true;
  return false;
}

GstCaps* without_unusable_memory(GstCaps* caps) {
  if (!is_cuda(caps) || (cuda_module(nullptr) && have_kernels())) return gst_caps_ref(caps);
  GstCaps* usable = gst_caps_copy(caps);
  gst_caps_filter_and_map_in_place(
      usable,
      [](GstCapsFeatures* features, GstStructure*, gpointer) -> gboolean {
        return !gst_caps_features_contains(features, kFeature);
      },
      nullptr);
  return usable;
}

}  // namespace gstpatchcore
