// SPDX-License-Identifier: LGPL-2.1-or-later
// What libpatchcore-gst-cuda.so offers: access to frames in memory:CUDAMemory, the one part of the
// plugin that links gstreamer-cuda, so that the others need it nowhere. Both are built together.
#pragma once

#include <gst/video/video.h>

#include <memory>

namespace gstpatchcore {

/// Frames in CUDA memory, one after the other, for one thread. Each is of a context, by and by
/// perhaps of several.
class CudaFrames {
 public:
  virtual ~CudaFrames() = default;

  enum class Mapping {
    Done,
    Unlike,  ///< it isn't in CUDA memory, not of these caps, or can't be written
    Failed,  ///< the GPU has failed
  };

  /// Gives the frame's planes as the context's pointers, once whoever made it is done. The context
  /// is current in this thread until unmap().
  virtual Mapping map(GstBuffer* buffer, const GstVideoInfo& info, bool writable,
                      GstVideoFrame* frame) = 0;
  virtual void unmap(GstVideoFrame* frame) = 0;

  // While a frame is mapped, in its context:

  /// A CUstream of this object's own.
  virtual gpointer stream() = 0;
  /// nullptr: there is none left. May be let go at any time, in any thread, and after this object;
  /// what is on the stream must not need it then.
  virtual std::shared_ptr<void> allocate(gsize bytes) = 0;
  /// On the stream; `from` must stay until wait().
  virtual bool upload(gpointer to, gconstpointer from, gsize bytes) = 0;
  /// Waits for the stream.
  virtual bool download(gpointer to, gconstpointer from, gsize bytes) = 0;
  /// For all that is on the stream. False: something of it failed.
  virtual bool wait() = 0;
};

struct CudaModule {
  /// Is there a driver?
  bool (*load)();
  std::unique_ptr<CudaFrames> (*make_frames)();
};

/// Changes with what is above.
constexpr int kCudaModuleInterface = 1;
/// The module's one symbol: nullptr unless the interface is its own.
using GetCudaModule = const CudaModule* (*)(int interface);
constexpr const char* kGetCudaModule = "gst_patchcore_cuda_module";

/// The module, opened when it is first asked for. nullptr: it isn't there, or there is no driver;
/// *reason, which may be nullptr, says so. Any thread.
const CudaModule* cuda_module(const char** reason);

/// Are frames of these caps in CUDA memory, or may they be?
bool is_cuda(GstCaps* caps);

/// Without what is in CUDA memory, where frames there can't be taken for want of a driver, the
/// module or, once libpatchcore is open, its kernels. Returns a reference.
GstCaps* without_unusable_memory(GstCaps* caps);

}  // namespace gstpatchcore
