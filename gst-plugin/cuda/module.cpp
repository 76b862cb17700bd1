// SPDX-License-Identifier: LGPL-2.1-or-later
// libpatchcore-gst-cuda.so: the one part of the plugin that knows gstreamer-cuda.
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include <map>
#include <mutex>
#include <optional>

#include "../cudaframes.hpp"

namespace gstpatchcore {
namespace {

using ContextPtr = std::shared_ptr<GstCudaContext>;

ContextPtr hold(GstCudaContext* context) {
  return {static_cast<GstCudaContext*>(gst_object_ref(context)), gst_object_unref};
}

/// Makes a context current in this thread, where that isn't refused.
class Current {
 public:
  explicit Current(const ContextPtr& context) : pushed_(gst_cuda_context_push(context.get())) {}
  ~Current() {
    if (pushed_) gst_cuda_context_pop(nullptr);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

  explicit operator bool() const { return pushed_; }

 private:
  const bool pushed_;
};

gpointer pointer(CUdeviceptr memory) { return reinterpret_cast<gpointer>(memory); }

/// Memory of a context that is used again and again: freeing it waits for the whole GPU.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  explicit Pool(ContextPtr context) : context_(std::move(context)) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ~Pool() {
    const Current current(context_);
    for (const auto& [size, memory] : free_)
      if (current) CuMemFree(memory);
  }

  /// With the context current.
  std::shared_ptr<void> take(gsize bytes) {
    const gsize size = (bytes + kPiece - 1) / kPiece * kPiece;
    const std::optional<CUdeviceptr> memory = reuse(size);
    CUdeviceptr taken = memory.value_or(0);
    if (!memory &&
        (size > G_MAXUINT || CuMemAlloc(&taken, static_cast<unsigned>(size)) != CUDA_SUCCESS))
      return nullptr;
    return {pointer(taken), [pool = shared_from_this(), size](void* returned) {
              pool->give_back(size, reinterpret_cast<CUdeviceptr>(returned));
            }};
  }

 private:
  static constexpr gsize kPiece = 256 << 10;
  static constexpr gsize kMostFree = 256 << 20;

  std::optional<CUdeviceptr> reuse(gsize size) {
    std::lock_guard lock(mutex_);
    const auto found = free_.find(size);
    if (found == free_.end()) return {};
    const CUdeviceptr memory = found->second;
    free_.erase(found);
    free_bytes_ -= size;
    return memory;
  }

  void give_back(gsize size, CUdeviceptr memory) {
    {
      std::lock_guard lock(mutex_);
      if (free_bytes_ + size <= kMostFree) {
        free_bytes_ += size;
        free_.emplace(size, memory);
        return;
      }
    }
    if (const Current current(context_); current) CuMemFree(memory);
  }

  const ContextPtr context_;
  std::mutex mutex_;
  std::multimap<gsize, CUdeviceptr> free_;  ///< by their sizes
  gsize free_bytes_ = 0;
};

// Before 1.24 memory has no stream of its own: copies are on the default one, and to be waited for.
#if GST_CHECK_VERSION(1, 24, 0)
constexpr unsigned kStreamKind = CU_STREAM_NON_BLOCKING;
#else
constexpr unsigned kStreamKind = CU_STREAM_DEFAULT;
#endif

/// What work on the frames of one context needs.
class Workplace {
 public:
  explicit Workplace(ContextPtr of)
      : context(std::move(of)), pool(std::make_shared<Pool>(context)) {
    const Current current(context);
    if (!current || CuStreamCreate(&stream, kStreamKind) != CUDA_SUCCESS) stream = nullptr;
  }
  ~Workplace() {
    if (const Current current(context); current && stream) CuStreamDestroy(stream);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  const ContextPtr context;
  const std::shared_ptr<Pool> pool;
  CUstream stream = nullptr;
};

class ContextFrames : public CudaFrames {
 public:
  Mapping map(GstBuffer* buffer, const GstVideoInfo& info, bool writable,
              GstVideoFrame* frame) override {
    // All planes of a frame are in one memory; others may be of the host.
    if (gst_buffer_n_memory(buffer) != 1 || !gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0)))
      return Mapping::Unlike;
    const auto flags = static_cast<int>(writable ? GST_MAP_READWRITE : GST_MAP_READ) |
                       static_cast<int>(GST_MAP_CUDA);
    if (!gst_video_frame_map(frame, const_cast<GstVideoInfo*>(&info), buffer,
                             static_cast<GstMapFlags>(flags)))
      return Mapping::Unlike;
    // Only now: to be written, memory that others have is replaced by a copy.
    if (enter(GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(buffer, 0)))) return Mapping::Done;
    gst_video_frame_unmap(frame);
    return Mapping::Failed;
  }

  void unmap(GstVideoFrame* frame) override {
    gst_cuda_context_pop(nullptr);
    gst_video_frame_unmap(frame);
  }

  gpointer stream() override { return place_->stream; }

  std::shared_ptr<void> allocate(gsize bytes) override { return place_->pool->take(bytes); }

  bool upload(gpointer to, gconstpointer from, gsize bytes) override {
    CUDA_MEMCPY2D copy = row_of(bytes);
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = from;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = reinterpret_cast<CUdeviceptr>(to);
    return CuMemcpy2DAsync(&copy, place_->stream) == CUDA_SUCCESS;
  }

  bool download(gpointer to, gconstpointer from, gsize bytes) override {
    CUDA_MEMCPY2D copy = row_of(bytes);
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = reinterpret_cast<CUdeviceptr>(from);
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = to;
    return CuMemcpy2DAsync(&copy, place_->stream) == CUDA_SUCCESS && wait();
  }

  bool wait() override { return CuStreamSynchronize(place_->stream) == CUDA_SUCCESS; }

 private:
  /// Makes the memory's context current, and waits for whoever is at work on it.
  bool enter(GstCudaMemory* memory) {
    GstCudaContext* context = memory->context;
    if (!place_ || place_->context.get() != context || !place_->stream)
      place_.emplace(hold(context));
#if GST_CHECK_VERSION(1, 24, 0)
    gst_cuda_memory_sync(memory);
#endif
    return place_->stream && gst_cuda_context_push(context);
  }

  static CUDA_MEMCPY2D row_of(gsize bytes) {
    CUDA_MEMCPY2D copy{};
    copy.WidthInBytes = bytes;
    copy.Height = 1;
    return copy;
  }

  std::optional<Workplace> place_;
};

const CudaModule module{
    [] { return gst_cuda_load_library() != FALSE; },
    [] { return std::unique_ptr<CudaFrames>(std::make_unique<ContextFrames>()); },
};

}  // namespace
}  // namespace gstpatchcore

extern "C" __attribute__((visibility("default"))) const gstpatchcore::CudaModule*
gst_patchcore_cuda_module(int interface) {
  return interface == gstpatchcore::kCudaModuleInterface ? &gstpatchcore::module : nullptr;
}
