// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/arithmetic.hpp"

// What kernels need of CUDA beyond its language. The tests compile the kernels with a C++ compiler
// too, against an emulator that has the same functions.
#ifdef PATCHCORE_EMULATED
#include "emulator.hpp"
#else

#include <cooperative_groups.h>
#include <cuda.h>
#include <cuda_pipeline.h>
#include <cuda_runtime.h>

#define PATCHCORE_SHARED(type, name) __shared__ type name
#define PATCHCORE_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)

namespace patchcore::cuda {

__device__ inline void grid_sync() { cooperative_groups::this_grid().sync(); }

/// What another block has written since the kernel began.
__device__ inline uint64_t load_shared_by_blocks(const uint64_t* value) {
  return __ldcg(reinterpret_cast<const unsigned long long*>(value));
}

/// 16 bytes on their way to shared memory; zeros instead where they aren't wanted.
__device__ inline void copy_async(void* to, const void* from, bool wanted) {
  __pipeline_memcpy_async(to, from, 16, wanted ? 0 : 16);
}
__device__ inline void commit_copies() { __pipeline_commit(); }
/// All but the last commit's.
__device__ inline void wait_for_older_copies() { __pipeline_wait_prior(1); }

/// Of 16 x 16 times 16 x 8 in a warp, as PTX lays mma.m16n8k16 out: lane = 4 g + t has
/// a = (g, 2t..), (g + 8, 2t..), (g, 2t + 8..), (g + 8, 2t + 8..), b = (2t.., g), (2t + 8.., g),
/// sum = (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
__device__ inline void multiply_add(float (&sum)[4], const uint32_t (&a)[4],
                                    const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

inline const char* text_of(cudaError_t error) {
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

/// A function of the driver, which the module doesn't link. nullptr: *error says why.
template <typename Function>
Function* driver_function(const char* name, const char** error) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
  *error = text_of(status);
  if (!*error && !function) *error = "the driver is too old";
  return reinterpret_cast<Function*>(function);
}

/// null, or why no device here can run these kernels: they are compiled for compute capability 8.0
/// and more, and the runtime that is linked wants a driver of its own release.
inline const char* why_unusable() {
  int driver = 0, devices = 0;
  cudaError_t error = cudaDriverGetVersion(&driver);
  if (error == cudaSuccess && driver / 1000 < CUDART_VERSION / 1000)
    return "the driver is older than the kernels";
  if (error == cudaSuccess) error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) return text_of(error);
  for (int device = 0; device < devices; ++device) {
    int major = 0;
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    if (error == cudaSuccess && major >= 8) return nullptr;
  }
  return "no GPU has compute capability 8.0 or more";
}

/// GStreamer's elements have contexts of their own, not LibTorch's: the driver is to know whose
/// memory is whose.
inline const char* copy_across(void* to, const void* from, int64_t bytes, Stream stream) {
  const char* error = nullptr;
  static const auto current =
      driver_function<CUresult(CUcontext*)>("cuCtxGetCurrent", &error);
  static const auto attribute =
      driver_function<CUresult(void*, CUpointer_attribute, CUdeviceptr)>("cuPointerGetAttribute",
                                                                         &error);
  static const auto copy =
      driver_function<CUresult(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, size_t, CUstream)>(
          "cuMemcpyPeerAsync", &error);
  if (!current || !attribute || !copy) return error ? error : "the driver can't copy";
  CUcontext here = nullptr, there = nullptr;
  const auto source = reinterpret_cast<CUdeviceptr>(from);
  // In a thread that has done nothing on a GPU yet none is current: LibTorch leaves device 0 to it.
  int device = 0;
  if (current(&here) == CUDA_SUCCESS && !here && cudaGetDevice(&device) == cudaSuccess &&
      cudaSetDevice(device) == cudaSuccess)
    current(&here);
  if (!here) return "no context is current";
  // Memory of a pool belongs to none: then this one may read it.
  if (attribute(&there, CU_POINTER_ATTRIBUTE_CONTEXT, source) != CUDA_SUCCESS || !there)
    there = here;
  const CUresult result = copy(reinterpret_cast<CUdeviceptr>(to), here, source, there,
                               static_cast<size_t>(bytes), static_cast<CUstream>(stream));
  return result == CUDA_SUCCESS ? nullptr : "a frame's input can't be copied to LibTorch's memory";
}

/// 0 blocks is no work.
template <typename Arguments>
const char* launch(void (*kernel)(Arguments), int64_t blocks, unsigned threads, Stream stream,
                   Arguments arguments) {
  if (blocks == 0) return nullptr;
  if (blocks > 0x7fffffff) return "too many rows at once";
  void* parameters[] = {&arguments};
  return text_of(cudaLaunchKernel(reinterpret_cast<const void*>(kernel),
                                  dim3(static_cast<unsigned>(blocks)), dim3(threads), parameters, 0,
                                  static_cast<cudaStream_t>(stream)));
}

/// As many blocks as can run at once, `most` at most: they may wait for each other.
template <typename Arguments>
const char* launch_together(void (*kernel)(Arguments), int64_t most, unsigned threads,
                            Stream stream, Arguments arguments) {
  int device = 0, processors = 0, blocks = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (error == cudaSuccess)
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, 0);
  if (error != cudaSuccess) return text_of(error);
  const int64_t together = static_cast<int64_t>(processors) * blocks;
  void* parameters[] = {&arguments};
  return text_of(
      cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                  dim3(static_cast<unsigned>(together < most ? together : most)),
                                  dim3(threads), parameters, 0, static_cast<cudaStream_t>(stream)));
}

}  // namespace patchcore::cuda
#endif

namespace patchcore::cuda {

constexpr unsigned kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline unsigned lane() { return threadIdx.x % kWarp; }
__device__ inline unsigned warp() { return threadIdx.x / kWarp; }

__device__ inline int64_t thread_of_grid() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline float warp_sum(float value) {
  for (unsigned other = kWarp / 2; other > 0; other /= 2)
    value += __shfl_xor_sync(kAllLanes, value, other);
  return value;
}

__device__ inline uint64_t warp_largest(uint64_t value) {
  for (unsigned other = kWarp / 2; other > 0; other /= 2) {
    const uint64_t theirs = __shfl_xor_sync(kAllLanes, value, other);
    value = theirs > value ? theirs : value;
  }
  return value;
}

/// By all lanes of a warp; each has the same, whatever the two rows' places in memory.
__device__ inline float squared_distance(const float* a, const float* b, int64_t width) {
  float sum = 0;
#pragma unroll 8
  for (int64_t i = lane(); i < width; i += kWarp) {
    const float difference = a[i] - b[i];
    sum = fmaf(difference, difference, sum);
  }
  return warp_sum(sum);
}

/// Those of a selection that there really are.
__device__ inline int64_t selected(const Selection& selection) {
  if (!selection.count) return selection.rows;
  const int64_t count = *selection.count;
  return count < selection.rows ? count : selection.rows;
}

inline int64_t in_parts_of(int64_t values, int64_t part) { return (values + part - 1) / part; }

}  // namespace patchcore::cuda
