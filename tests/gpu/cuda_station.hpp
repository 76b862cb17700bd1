// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in memory:CUDAMemory and the same in the system's, and the element that is fed with them.
#pragma once

#include <dlfcn.h>
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/video/video.h>

#include <algorithm>

#include "../../gst-plugin/handles.hpp"
#include "../check_main.hpp"
#include "../element_test.hpp"
#include "driver.hpp"

namespace cuda_station {

using gstpatchcore::BufferPtr;

inline constexpr guint kWidth = 160, kHeight = 128;

inline bool on_gpu = false;  ///< or emulated

/// A function of the emulated driver; nullptr on a GPU.
template <typename Function>
Function* of_driver(const char* name) {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  return driver ? reinterpret_cast<Function*>(dlsym(driver, name)) : nullptr;
}

inline EmulatedDriverCounts counts() {
  const auto get = of_driver<decltype(emulated_driver_counts)>("emulated_driver_counts");
  return get ? get() : EmulatedDriverCounts{};
}

struct Unref {
  void operator()(GstBufferPool* pool) const {
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
  }
  void operator()(GstCudaContext* context) const { gst_object_unref(context); }
};

inline GstVideoInfo info_of(GstVideoFormat format, bool interlaced = false) {
  GstVideoInfo info;
  ck_assert(gst_video_info_set_interlaced_format(
      &info, format,
      interlaced ? GST_VIDEO_INTERLACE_MODE_INTERLEAVED : GST_VIDEO_INTERLACE_MODE_PROGRESSIVE,
      kWidth, kHeight));
  info.fps_n = 25;
  info.fps_d = 1;
  return info;
}

/// Coloured stripes, with a grain of their own for each frame, and a bright square if `defect`.
inline BufferPtr picture(guint index, bool defect) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, gsize{4} * kWidth * kHeight, nullptr));
  GstMapInfo map;
  ck_assert(gst_buffer_map(buffer.get(), &map, GST_MAP_WRITE));
  guint32 random = index + 1;
  for (guint i = 0; i < kWidth * kHeight; ++i) {
    const guint x = i % kWidth, y = i / kWidth;
    random = random * 1664525 + 1013904223;
    const guint grain = random >> 27;
    const bool square = defect && x >= 104 && x < 128 && y >= 40 && y < 64;
    const guint8 rgba[] = {static_cast<guint8>(square ? 255 : 50 + x / 16 % 2 * 60 + grain),
                           static_cast<guint8>(square ? y * 37 : 90 + grain),
                           static_cast<guint8>(square ? 0 : 60 + y / 16 % 2 * 50 + grain), 255};
    std::copy_n(rgba, 4, map.data + gsize{4} * i);
  }
  gst_buffer_unmap(buffer.get(), &map);
  return buffer;
}

/// The picture in a format, in the system's memory.
inline BufferPtr system_frame(const GstVideoInfo& info, guint index, bool defect) {
  const GstVideoInfo rgba = info_of(GST_VIDEO_FORMAT_RGBA, GST_VIDEO_INFO_IS_INTERLACED(&info));
  const BufferPtr from = picture(index, defect);
  BufferPtr to(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  GstVideoFrame source, target;
  ck_assert(gst_video_frame_map(&source, &rgba, from.get(), GST_MAP_READ));
  ck_assert(gst_video_frame_map(&target, &info, to.get(), GST_MAP_WRITE));
  GstVideoConverter* converter = gst_video_converter_new(&rgba, &info, nullptr);
  gst_video_converter_frame(converter, &source, &target);
  gst_video_converter_free(converter);
  gst_video_frame_unmap(&source);
  gst_video_frame_unmap(&target);
  GST_BUFFER_PTS(to.get()) = index * kFrame;
  GST_BUFFER_DURATION(to.get()) = kFrame;
  return to;
}

inline std::string caps_of(const GstVideoInfo& info, bool cuda) {
  GstCaps* caps = gst_video_info_to_caps(&info);
  if (cuda)
    gst_caps_set_features_simple(
        caps, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY, nullptr));
  gchar* text = gst_caps_to_string(caps);
  std::string result = text;
  g_free(text);
  gst_caps_unref(caps);
  return result;
}

/// Frames of CUDA memory in a context of its own, as GStreamer's elements have it.
class CudaMemory {
 public:
  CudaMemory() : context_(gst_cuda_context_new(0)) {
    ck_assert_ptr_nonnull(context_.get());
    gst_cuda_memory_init_once();
  }

  BufferPtr upload(const GstVideoInfo& info, GstBuffer* frame) {
    BufferPtr uploaded = acquire(info);
    copy(info, frame, uploaded.get());
    GST_BUFFER_PTS(uploaded.get()) = GST_BUFFER_PTS(frame);
    GST_BUFFER_DURATION(uploaded.get()) = GST_BUFFER_DURATION(frame);
    // To the GPU, and as if it had been written there: whoever maps it for the host has it copied.
    GstMapInfo map;
    const auto flags = static_cast<int>(GST_MAP_READWRITE) | static_cast<int>(GST_MAP_CUDA);
    ck_assert(gst_buffer_map(uploaded.get(), &map, static_cast<GstMapFlags>(flags)));
    gst_buffer_unmap(uploaded.get(), &map);
    return uploaded;
  }

  static BufferPtr download(const GstVideoInfo& info, GstBuffer* frame) {
    BufferPtr system(gst_buffer_new_allocate(nullptr, info.size, nullptr));
    copy(info, frame, system.get());
    return system;
  }

 private:
  static void copy(const GstVideoInfo& info, GstBuffer* from, GstBuffer* to) {
    GstVideoFrame source, target;
    ck_assert(gst_video_frame_map(&source, &info, from, GST_MAP_READ));
    ck_assert(gst_video_frame_map(&target, &info, to, GST_MAP_WRITE));
    ck_assert(gst_video_frame_copy(&target, &source));
    gst_video_frame_unmap(&source);
    gst_video_frame_unmap(&target);
  }

  BufferPtr acquire(const GstVideoInfo& info) {
    if (!pool_) {
      pool_.reset(gst_cuda_buffer_pool_new(context_.get()));
      GstCaps* caps = gst_caps_from_string(caps_of(info, true).c_str());
      GstStructure* config = gst_buffer_pool_get_config(pool_.get());
      gst_buffer_pool_config_set_params(config, caps, static_cast<guint>(info.size), 0, 0);
      gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
      gst_caps_unref(caps);
      ck_assert(gst_buffer_pool_set_config(pool_.get(), config));
      ck_assert(gst_buffer_pool_set_active(pool_.get(), TRUE));
    }
    GstBuffer* buffer = nullptr;
    ck_assert_int_eq(gst_buffer_pool_acquire_buffer(pool_.get(), &buffer, nullptr), GST_FLOW_OK);
    return BufferPtr(buffer);
  }

  std::unique_ptr<GstCudaContext, Unref> context_;
  std::unique_ptr<GstBufferPool, Unref> pool_;
};

inline std::string properties(const std::string& bank, const std::string& more) {
  return std::string(on_gpu ? "" : "device=cpu ") + "precision=fp32 bank-location=" + bank + " " +
         more;
}

/// The element, fed from one of the two.
class Station {
 public:
  Station(const GstVideoInfo& info, bool cuda, const std::string& properties)
      : harness_(properties), info_(info) {
    ck_assert(harness_.started());
    gst_harness_set_src_caps_str(harness_.get(), caps_of(info, cuda).c_str());
    if (cuda) memory_ = std::make_unique<CudaMemory>();
  }

  BufferPtr frame(guint index, bool defect) {
    BufferPtr system = system_frame(info_, index, defect);
    return memory_ ? memory_->upload(info_, system.get()) : std::move(system);
  }

  std::shared_ptr<GstBuffer> pass(BufferPtr frame) {
    const GstFlowReturn flow = gst_harness_push(harness_.get(), frame.release());
    const auto error = flow == GST_FLOW_OK ? nullptr : harness_.error(GST_SECOND);
    ck_assert_msg(flow == GST_FLOW_OK, "%s: %s", gst_flow_get_name(flow),
                  error ? error->message : "");
    return harness_.pull();
  }

  ElementHarness& harness() { return harness_; }
  CudaMemory& memory() { return *memory_; }

 private:
  std::unique_ptr<CudaMemory> memory_;
  ElementHarness harness_;
  const GstVideoInfo info_;
};

/// Learns twelve frames.
inline void learn(const std::string& bank, const GstVideoInfo& info, bool cuda) {
  // So few rows that normal frames lie at a distance, beside which rounded levels are little.
  Station station(info, cuda, properties(bank, "mode=fit input-size=64 coreset-ratio=0.02"));
  for (guint i = 0; i < 12; ++i) station.pass(station.frame(i, false));
  station.harness().end();
}

/// A bank that was learned from RGBA frames in the system's memory.
struct LearnedBank {
  LearnedBank() { learn(location, info_of(GST_VIDEO_FORMAT_RGBA), false); }
  TemporaryFolder folder;
  std::string location = folder.file("bank.safetensors");
};

inline double score(const std::shared_ptr<GstBuffer>& frame) {
  return number(result_of(frame), "score");
}

/// The largest and the mean difference of two frames' bytes, each of its component's own levels.
struct Difference {
  int largest = 0;
  double mean = 0;

  Difference(const GstVideoInfo& info, GstBuffer* a, GstBuffer* b) {
    GstVideoFrame one, other;
    ck_assert(gst_video_frame_map(&one, &info, a, GST_MAP_READ));
    ck_assert(gst_video_frame_map(&other, &info, b, GST_MAP_READ));
    guint count = 0;
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); ++c)
      for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&one, c); ++y)
        for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&one, c); ++x, ++count) {
          const int difference = std::abs(level(one, c, x, y) - level(other, c, x, y));
          largest = std::max(largest, difference);
          mean += difference;
        }
    mean /= count;
    gst_video_frame_unmap(&one);
    gst_video_frame_unmap(&other);
  }

 private:
  static int level(const GstVideoFrame& frame, guint c, gint x, gint y) {
    const auto* at = static_cast<const guint8*>(GST_VIDEO_FRAME_COMP_DATA(&frame, c)) +
                     y * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c) +
                     x * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c);
    return *at;
  }
};

}  // namespace cuda_station
