// SPDX-License-Identifier: LGPL-2.1-or-later
// What the functions of the C API share; of no use elsewhere. The one place where an exception
// becomes a GError.
#pragma once

#include <c10/util/Exception.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>

#include "detector.hpp"
#include "fit.hpp"
#include "mask.hpp"
#include "patchcore.h"

namespace pc = patchcore;

/// A counted reference for C to a shared object of C++.
template <typename Object>
struct Handle {
  explicit Handle(std::shared_ptr<Object> o) : object(std::move(o)) {}
  std::shared_ptr<Object> object;
  std::atomic<int> references{1};
};

template <typename H>
H* ref(H* handle) {
  handle->references.fetch_add(1, std::memory_order_relaxed);
  return handle;
}

template <typename H>
void unref(H* handle) {
  if (handle && handle->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete handle;
}

struct _PatchcoreBackbone : Handle<const pc::Backbone> {
  using Handle::Handle;
};
struct _PatchcoreBank : Handle<const pc::MemoryBank> {
  using Handle::Handle;
};
struct _PatchcoreDetector : Handle<const pc::Detector> {
  using Handle::Handle;
};
struct _PatchcoreMask : Handle<const pc::Mask> {
  using Handle::Handle;
};
struct _PatchcoreFit : Handle<pc::Fit> {
  using Handle::Handle;
};

static_assert(PATCHCORE_ERROR_INVALID_ARGUMENT == static_cast<int>(pc::ErrorCode::InvalidArgument));
static_assert(PATCHCORE_ERROR_CANCELLED == static_cast<int>(pc::ErrorCode::Cancelled));

/// Runs `work`; what it throws becomes *error, and the return value a zero of its type.
template <typename Work>
auto guarded(GError** error, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const pc::Error& e) {
    g_set_error_literal(error, PATCHCORE_ERROR, static_cast<int>(e.code()), e.what());
  } catch (const std::bad_alloc&) {
    g_set_error_literal(error, PATCHCORE_ERROR, PATCHCORE_ERROR_FAILED, "Out of memory.");
  } catch (const c10::Error& e) {
    g_set_error(error, PATCHCORE_ERROR, PATCHCORE_ERROR_FAILED, "LibTorch: %s",
                e.what_without_backtrace());
  } catch (const std::exception& e) {
    g_set_error_literal(error, PATCHCORE_ERROR, PATCHCORE_ERROR_FAILED, e.what());
  }
  return {};
}

inline std::string text(const gchar* value, const char* fallback) {
  return value ? value : fallback;
}

/// Of a frame. Throws Error(InvalidArgument) for more than one can have.
inline int pixels(guint count) {
  constexpr guint kMost = 1u << 16;
  if (count > kMost)
    throw pc::Error(pc::ErrorCode::InvalidArgument, "A frame can't be that large.");
  return static_cast<int>(count);
}

/// Whoever doesn't say has square pixels.
inline double aspect_of(gdouble pixel_aspect) { return pixel_aspect == 0 ? 1 : pixel_aspect; }

inline pc::Samples to_cpp(const PatchcoreSamples& s) {
  return {static_cast<const uint8_t*>(s.data),
          s.stride,
          pixels(s.columns),
          pixels(s.rows),
          pixels(s.step),
          pixels(s.bytes),
          pixels(s.shift),
          pixels(s.depth)};
}

inline pc::SampledImage to_cpp(const PatchcoreSampledImage& image) {
  pc::SampledImage result;
  for (size_t i = 0; i < 3; ++i) {
    result.components[i] = to_cpp(image.components[i]);
    std::copy_n(image.to_rgb[i], 4, result.to_rgb[i].data());
  }
  result.width = pixels(image.width);
  result.height = pixels(image.height);
  result.pixel_aspect = aspect_of(image.pixel_aspect);
  return result;
}

inline const pc::Preprocess& unwrap(const PatchcorePreprocess* preprocess) {
  return *reinterpret_cast<const pc::Preprocess*>(preprocess);
}

inline const PatchcorePreprocess* wrap(const pc::Preprocess& preprocess) {
  return reinterpret_cast<const PatchcorePreprocess*>(&preprocess);
}

inline pc::Monitor monitor(PatchcoreProgressFunc progress, gpointer user_data,
                           GCancellable* cancellable) {
  pc::Monitor m;
  if (progress) m.progress = [=](double fraction) { progress(fraction, user_data); };
  if (cancellable) m.cancelled = [=] { return g_cancellable_is_cancelled(cancellable) != FALSE; };
  return m;
}
