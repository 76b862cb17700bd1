// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <memory>
#include <utility>

#include "library.hpp"

namespace gstpatchcore {

/// Ownership of GLib's and libpatchcore's types, as types.
struct Release {
  void operator()(GstBuffer* o) const { gst_buffer_unref(o); }
  void operator()(GstEvent* o) const { gst_event_unref(o); }
  void operator()(GstStructure* o) const { gst_structure_free(o); }
  void operator()(GstVideoConverter* o) const { gst_video_converter_free(o); }
  void operator()(char* o) const { g_free(o); }
};

using BufferPtr = std::unique_ptr<GstBuffer, Release>;
using EventPtr = std::unique_ptr<GstEvent, Release>;
using StructurePtr = std::unique_ptr<GstStructure, Release>;
using ConverterPtr = std::unique_ptr<GstVideoConverter, Release>;
using CharPtr = std::unique_ptr<char, Release>;

/// Shared by count, as libpatchcore's handles are.
template <typename T>
class Counted {
 public:
  Counted() = default;
  /// Takes over the caller's reference.
  explicit Counted(T* object) : object_(object, release) {}

  T* get() const { return object_.get(); }
  explicit operator bool() const { return object_ != nullptr; }
  void reset() { object_.reset(); }

 private:
  static void release(T* object);
  std::shared_ptr<T> object_;
};

template <>
inline void Counted<PatchcoreBackbone>::release(PatchcoreBackbone* o) {
  if (o) library().patchcore_backbone_unref(o);
}
template <>
inline void Counted<PatchcoreBank>::release(PatchcoreBank* o) {
  if (o) library().patchcore_bank_unref(o);
}
template <>
inline void Counted<PatchcoreDetector>::release(PatchcoreDetector* o) {
  if (o) library().patchcore_detector_unref(o);
}
template <>
inline void Counted<PatchcoreFit>::release(PatchcoreFit* o) {
  if (o) library().patchcore_fit_unref(o);
}

template <>
inline void Counted<PatchcoreMask>::release(PatchcoreMask* o) {
  if (o) library().patchcore_mask_unref(o);
}

using Backbone = Counted<PatchcoreBackbone>;
using Bank = Counted<PatchcoreBank>;
using Detector = Counted<PatchcoreDetector>;
using Fit = Counted<PatchcoreFit>;
using Mask = Counted<PatchcoreMask>;

/// A GError that frees itself and can be passed where one is filled in.
class ErrorPtr {
 public:
  ErrorPtr() = default;
  ErrorPtr(ErrorPtr&& other) noexcept : error_(std::exchange(other.error_, nullptr)) {}
  ErrorPtr& operator=(ErrorPtr&& other) noexcept {
    std::swap(error_, other.error_);
    return *this;
  }
  ~ErrorPtr() { g_clear_error(&error_); }

  GError** out() {
    g_clear_error(&error_);
    return &error_;
  }
  const GError* get() const { return error_; }
  explicit operator bool() const { return error_ != nullptr; }
  bool is(PatchcoreError code) const {
    return g_error_matches(error_, library().patchcore_error_quark(), code) != FALSE;
  }

 private:
  GError* error_ = nullptr;
};

}  // namespace gstpatchcore
