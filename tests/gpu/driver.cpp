// SPDX-License-Identifier: LGPL-2.1-or-later
// libcuda.so.1 as far as gstreamer-cuda asks for it, with the GPU's memory in the host's: so that
// frames in CUDA memory can go through the element where there is no GPU. It is strict about what
// a GPU is strict about: calls without a current context, memory of another context, ranges that
// nobody has allocated. It counts what is copied to and from the host.
#include "driver.hpp"

#include <cuda.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

struct CUctx_st {};
struct CUstream_st {
  CUcontext context;
};

namespace {

struct Allocation {
  size_t bytes;
  CUcontext context;
};

std::mutex mutex;
auto& allocations = *new std::map<uintptr_t, Allocation>;
EmulatedDriverCounts counts;
std::atomic<EmulatedFailure> failure{EmulatedFailure::None};
thread_local std::vector<CUcontext> current;

CUresult allocate(CUdeviceptr* memory, size_t bytes) {
  if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (failure == EmulatedFailure::Allocation) return CUDA_ERROR_OUT_OF_MEMORY;
  void* host = std::malloc(bytes);
  std::memset(host, 0xcd, bytes);
  const auto address = reinterpret_cast<uintptr_t>(host);
  const std::lock_guard lock(mutex);
  allocations[address] = {bytes, current.back()};
  counts.allocations = allocations.size();
  *memory = address;
  return CUDA_SUCCESS;
}

/// Does a range lie in memory of the current context? Under the lock.
bool is_own(uintptr_t begin, size_t bytes) {
  auto next = allocations.upper_bound(begin);
  if (next == allocations.begin()) return false;
  const auto& [address, allocation] = *--next;
  return begin + bytes <= address + allocation.bytes && allocation.context == current.back();
}

/// One side of a copy.
struct Side {
  bool host;
  uintptr_t address;
  size_t pitch;
};

bool find(CUmemorytype type, const void* host, CUdeviceptr device, size_t x, size_t y, size_t pitch,
          const CUDA_MEMCPY2D& copy, Side* side) {
  side->host = type == CU_MEMORYTYPE_HOST;
  if (!side->host && type != CU_MEMORYTYPE_DEVICE) return false;
  side->pitch = pitch ? pitch : copy.WidthInBytes;
  side->address = (side->host ? reinterpret_cast<uintptr_t>(host) : device) + y * side->pitch + x;
  const size_t bytes = (copy.Height - 1) * side->pitch + copy.WidthInBytes;
  return side->host || is_own(side->address, bytes);
}

CUresult perform(const CUDA_MEMCPY2D& copy) {
  if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (copy.Height == 0 || copy.WidthInBytes == 0) return CUDA_SUCCESS;
  const std::lock_guard lock(mutex);
  Side from, to;
  if (!find(copy.srcMemoryType, copy.srcHost, copy.srcDevice, copy.srcXInBytes, copy.srcY,
            copy.srcPitch, copy, &from) ||
      !find(copy.dstMemoryType, copy.dstHost, copy.dstDevice, copy.dstXInBytes, copy.dstY,
            copy.dstPitch, copy, &to))
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t row = 0; row < copy.Height; ++row)
    std::memcpy(reinterpret_cast<void*>(to.address + row * to.pitch),
                reinterpret_cast<const void*>(from.address + row * from.pitch), copy.WidthInBytes);
  const size_t bytes = copy.Height * copy.WidthInBytes;
  if (from.host && !to.host) counts.uploaded += bytes;
  if (!from.host && to.host) counts.downloaded += bytes;
  return CUDA_SUCCESS;
}

}  // namespace

EXPORT EmulatedDriverCounts emulated_driver_counts() {
  const std::lock_guard lock(mutex);
  return counts;
}

EXPORT void emulated_driver_fail(EmulatedFailure how) { failure = how; }

EXPORT CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
EXPORT CUresult cuGetErrorName(CUresult, const char** name) {
  *name = "CUDA_ERROR";
  return CUDA_SUCCESS;
}
EXPORT CUresult cuGetErrorString(CUresult, const char** text) {
  *text = "an error of the emulated driver";
  return CUDA_SUCCESS;
}
EXPORT CUresult cuDriverGetVersion(int* version) {
  *version = CUDA_VERSION;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
EXPORT CUresult cuDeviceGetCount(int* count) {
  *count = 1;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceGetName(char* name, int length, CUdevice) {
  std::strncpy(name, "Emulated", static_cast<size_t>(length));
  return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  *value = attribute == CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT ? 512 : 8;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceCanAccessPeer(int* can, CUdevice, CUdevice) {
  *can = 0;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate_v2(CUcontext* context, unsigned, CUdevice) {
  current.push_back(*context = new CUctx_st);
  return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxDestroy_v2(CUcontext context) {
  delete context;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) {
  current.push_back(context);
  return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxPopCurrent_v2(CUcontext* context) {
  if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (context) *context = current.back();
  current.pop_back();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* memory, size_t bytes) { return allocate(memory, bytes); }
EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr* memory, size_t* pitch, size_t width, size_t height,
                                   unsigned) {
  *pitch = (width + 511) / 512 * 512;
  return allocate(memory, *pitch * height);
}
EXPORT CUresult cuMemFree_v2(CUdeviceptr memory) {
  if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  const std::lock_guard lock(mutex);
  const auto found = allocations.find(memory);
  if (found == allocations.end() || found->second.context != current.back())
    return CUDA_ERROR_INVALID_VALUE;
  std::free(reinterpret_cast<void*>(found->first));
  allocations.erase(found);
  counts.allocations = allocations.size();
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemAllocHost_v2(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemFreeHost(void* memory) {
  std::free(memory);
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* copy) { return perform(*copy); }
EXPORT CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
  if (stream && (current.empty() || stream->context != current.back()))
    return CUDA_ERROR_INVALID_HANDLE;
  return perform(*copy);
}

EXPORT CUresult cuStreamCreate(CUstream* stream, unsigned) {
  if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  *stream = new CUstream_st{current.back()};
  return CUDA_SUCCESS;
}
EXPORT CUresult destroy_stream(CUstream stream) asm("cuStreamDestroy");
CUresult destroy_stream(CUstream stream) {
  delete stream;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  if (failure == EmulatedFailure::Wait) return CUDA_ERROR_LAUNCH_FAILED;
  return !stream || (!current.empty() && stream->context == current.back())
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_HANDLE;
}

// What gstreamer-cuda looks up, and nothing here calls.
#define UNSUPPORTED(name)                          \
  EXPORT CUresult unsupported_##name() asm(#name); \
  CUresult unsupported_##name() { return CUDA_ERROR_NOT_SUPPORTED; }
UNSUPPORTED(cuCtxEnablePeerAccess)
UNSUPPORTED(cuCtxDisablePeerAccess)
UNSUPPORTED(cuGraphicsMapResources)
UNSUPPORTED(cuGraphicsUnmapResources)
UNSUPPORTED(cuGraphicsUnregisterResource)
UNSUPPORTED(cuGraphicsGLRegisterImage)
UNSUPPORTED(cuGraphicsGLRegisterBuffer)
UNSUPPORTED(cuGraphicsResourceSetMapFlags_v2)
UNSUPPORTED(cuGraphicsSubResourceGetMappedArray)
UNSUPPORTED(cuGraphicsResourceGetMappedPointer_v2)
UNSUPPORTED(cuGLGetDevices_v2)
UNSUPPORTED(cuModuleLoadData)
UNSUPPORTED(cuModuleUnload)
UNSUPPORTED(cuModuleGetFunction)
UNSUPPORTED(cuTexObjectCreate)
UNSUPPORTED(cuTexObjectDestroy)
UNSUPPORTED(cuLaunchKernel)
