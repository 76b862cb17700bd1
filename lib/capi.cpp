// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API over the classes, and the one place where an exception becomes a GError.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "bank_extension.hpp"
#include "confidence.hpp"
#include "drawing.hpp"
#include "inference.hpp"
#include "patchcore.h"
#include "regions.hpp"
#include "version.hpp"

namespace pc = patchcore;

G_DEFINE_QUARK(patchcore - error - quark, patchcore_error)

namespace {

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

}  // namespace

struct _PatchcoreBackbone : Handle<const pc::Backbone> {
  using Handle::Handle;
};
struct _PatchcoreBank : Handle<const pc::MemoryBank> {
  using Handle::Handle;
};
struct _PatchcoreDetector : Handle<const pc::Detector> {
  using Handle::Handle;
};
struct _PatchcoreFit : Handle<pc::Fit> {
  using Handle::Handle;
};

namespace {

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

std::string text(const gchar* value, const char* fallback) { return value ? value : fallback; }

const pc::Preprocess& unwrap(const PatchcorePreprocess* preprocess) {
  return *reinterpret_cast<const pc::Preprocess*>(preprocess);
}

const PatchcorePreprocess* wrap(const pc::Preprocess& preprocess) {
  return reinterpret_cast<const PatchcorePreprocess*>(&preprocess);
}

pc::Monitor monitor(PatchcoreProgressFunc progress, gpointer user_data, GCancellable* cancellable) {
  pc::Monitor m;
  if (progress) m.progress = [=](double fraction) { progress(fraction, user_data); };
  if (cancellable) m.cancelled = [=] { return g_cancellable_is_cancelled(cancellable) != FALSE; };
  return m;
}

std::vector<std::string> layer_names(const gchar* const* layers) {
  std::vector<std::string> names;
  for (; layers && *layers; ++layers) names.emplace_back(*layers);
  if (layers && names.empty())
    throw pc::Error(pc::ErrorCode::InvalidArgument,
                    "The list of layers is empty; without a list the network has its usual ones.");
  return names;
}

pc::Settings fit_settings(const PatchcoreFitOptions& options) {
  if (options.like) return options.like->object->settings;
  pc::Settings settings =
      pc::Settings::from_preset(pc::parse_preset(text(options.preset, "anomalib")));
  if (options.resize_width > 0) {
    settings.resize = {static_cast<int>(options.resize_width),
                       static_cast<int>(options.resize_height)};
    settings.crop = static_cast<int>(options.crop);
  }
  for (const gchar* const* pair = options.settings; pair && pair[0]; pair += 2)
    settings.set(pair[0], text(pair[1], ""));
  return settings;
}

pc::Size frame_size(guint width, guint height) {
  constexpr guint kMost = 1u << 16;
  if (width > kMost || height > kMost)
    throw pc::Error(pc::ErrorCode::InvalidArgument, "A frame can't be that large.");
  return {static_cast<int>(width), static_cast<int>(height)};
}

/// nullptr for no values at all.
GBytes* bytes_of(const at::Tensor& values) {
  if (!values.defined() || values.numel() == 0) return nullptr;
  // The tensor stays alive for as long as the bytes do; nothing is copied.
  auto* owner = new at::Tensor(values);
  return g_bytes_new_with_free_func(
      owner->data_ptr(), owner->nbytes(),
      [](gpointer tensor) { delete static_cast<at::Tensor*>(tensor); }, owner);
}

PatchcoreResult to_c(const pc::Result& result) {
  return {result.score,
          result.normalized_score,
          result.peak_x,
          result.peak_y,
          result.map_peak,
          bytes_of(result.map),
          static_cast<guint>(result.map.size(1)),
          static_cast<guint>(result.map.size(0)),
          bytes_of(result.patches),
          result.patches.defined() ? static_cast<guint>(result.patches.size(0)) : 0};
}

/// The rows of all sets, one set below the other.
at::Tensor rows_of(GBytes* const* sets, guint count, int64_t width, const pc::Monitor& monitor) {
  const gsize row = sizeof(float) * static_cast<gsize>(width);
  int64_t rows = 0;
  for (guint i = 0; i < count; ++i) {
    const gsize bytes = sets[i] ? g_bytes_get_size(sets[i]) : 1;
    if (bytes % row != 0)
      throw pc::Error(pc::ErrorCode::InvalidArgument,
                      "Set " + std::to_string(i) + " of the patches doesn't hold rows of " +
                          std::to_string(row) + " bytes, as the bank has them.");
    rows += static_cast<int64_t>(bytes / row);
  }
  const at::Tensor all = at::empty({rows, width});
  auto* out = static_cast<guint8*>(all.data_ptr());
  for (guint i = 0; i < count; ++i) {
    monitor.check();
    gsize bytes = 0;
    const gconstpointer data = g_bytes_get_data(sets[i], &bytes);
    if (bytes > 0) std::memcpy(out, data, bytes);
    out += bytes;
  }
  return all;
}

std::vector<pc::Request> to_cpp(const PatchcoreBackbone* backbone, const PatchcoreRequest* requests,
                                guint count) {
  std::vector<pc::Request> batch(count);
  for (guint i = 0; i < count; ++i) {
    const PatchcoreRequest& r = requests[i];
    if (!r.rgb || !r.detector == !r.fit)
      throw pc::Error(pc::ErrorCode::InvalidArgument,
                      "A request needs a frame and either a detector or a fit.");
    const pc::Backbone& own =
        r.detector ? r.detector->object->backbone() : r.fit->object->backbone();
    if (&own != backbone->object.get())
      throw pc::Error(pc::ErrorCode::InvalidArgument, "A request belongs to another backbone.");
    batch[i].rgb = r.rgb;
    batch[i].detector = r.detector ? r.detector->object.get() : nullptr;
    batch[i].fit = r.fit ? r.fit->object.get() : nullptr;
    if (r.keep_patches) batch[i].keep_above = r.keep_above;
  }
  return batch;
}

}  // namespace

const gchar* patchcore_version() { return pc::kVersion; }

PatchcoreBackbone* patchcore_backbone_get(const PatchcoreBackboneOptions* options, GError** error) {
  return guarded(error, [&] {
    pc::BackboneOptions o;
    o.name = text(options->name, "builtin");
    o.weights = text(options->weights, "");
    o.layers = layer_names(options->layers);
    o.device = text(options->device, "auto");
    o.precision = pc::parse_precision(text(options->precision, "auto"));
    return new PatchcoreBackbone(pc::Backbone::get(o));
  });
}

PatchcoreBackbone* patchcore_backbone_get_for_bank(PatchcoreBank* bank, const gchar* weights,
                                                   const gchar* device, const gchar* precision,
                                                   GError** error) {
  return guarded(error, [&] {
    return new PatchcoreBackbone(pc::Backbone::get(
        pc::backbone_options_for(*bank->object, text(weights, ""), text(device, "auto"),
                                 pc::parse_precision(text(precision, "auto")))));
  });
}

PatchcoreBackbone* patchcore_backbone_ref(PatchcoreBackbone* backbone) { return ref(backbone); }
void patchcore_backbone_unref(PatchcoreBackbone* backbone) { unref(backbone); }
gconstpointer patchcore_backbone_get_id(PatchcoreBackbone* backbone) {
  return backbone->object.get();
}

PatchcoreBank* patchcore_bank_load(const gchar* path, GCancellable* cancellable, GError** error) {
  return guarded(error, [&] {
    return new PatchcoreBank(pc::MemoryBank::get(path, monitor(nullptr, nullptr, cancellable)));
  });
}

gboolean patchcore_bank_save(PatchcoreBank* bank, const gchar* path, GCancellable* cancellable,
                             GError** error) {
  return guarded(error, [&]() -> gboolean {
    bank->object->save(path, monitor(nullptr, nullptr, cancellable));
    return TRUE;
  });
}

PatchcoreBank* patchcore_bank_ref(PatchcoreBank* bank) { return ref(bank); }
void patchcore_bank_unref(PatchcoreBank* bank) { unref(bank); }

void patchcore_bank_get_info(PatchcoreBank* bank, PatchcoreBankInfo* info) {
  const pc::MemoryBank& b = *bank->object;
  const pc::Calibration& c = b.calibration;
  *info = {};
  info->rows = static_cast<guint64>(b.size());
  info->width = static_cast<guint64>(b.width());
  info->frames = static_cast<guint64>(b.frames);
  info->calibrated = c.valid();
  if (!c.valid()) return;
  info->threshold = c.threshold;
  info->median = c.median;
  info->pixel_threshold = c.pixel_threshold;
  info->pixel_median = c.pixel_median;
  info->calibration_frames = c.scores.size();
  info->false_alarms = static_cast<guint64>(c.false_alarms());
  info->false_alarm_bound = pc::rate_bound(c.false_alarms(), static_cast<int64_t>(c.scores.size()));
  if (c.hours <= 0) return;
  info->calibration_hours = c.hours;
  info->calibration_alarms = static_cast<guint64>(c.alarms);
  info->alarms_per_hour_bound = pc::count_bound(c.alarms) / c.hours;
}

PatchcoreBank* patchcore_bank_extend(PatchcoreBank* bank, GBytes* const* patches,
                                     guint n_patch_sets, gdouble covered, GCancellable* cancellable,
                                     GError** error) {
  return guarded(error, [&] {
    const c10::InferenceMode no_gradients;
    const pc::Monitor m = monitor(nullptr, nullptr, cancellable);
    const at::Tensor rows = rows_of(patches, n_patch_sets, bank->object->width(), m);
    return new PatchcoreBank(
        std::make_shared<pc::MemoryBank>(pc::extended(*bank->object, rows, covered, m)));
  });
}

const gchar* patchcore_bank_get_id(PatchcoreBank* bank) { return bank->object->id.c_str(); }
const gchar* patchcore_bank_get_model(PatchcoreBank* bank) {
  return bank->object->settings.backbone.c_str();
}

gboolean patchcore_preprocess_get_geometry(const PatchcorePreprocess* preprocess, guint frame_width,
                                           guint frame_height, PatchcoreGeometry* geometry,
                                           GError** error) {
  return guarded(error, [&]() -> gboolean {
    const auto g = unwrap(preprocess).geometry(frame_size(frame_width, frame_height));
    *geometry = {static_cast<guint>(g.input.width),
                 static_cast<guint>(g.input.height),
                 g.region.x,
                 g.region.y,
                 g.region.width,
                 g.region.height};
    return TRUE;
  });
}

gboolean patchcore_preprocess_resize(const PatchcorePreprocess* preprocess,
                                     const PatchcoreImage* frame, guint8* rgb, GError** error) {
  return guarded(error, [&]() -> gboolean {
    const pc::Size size = frame_size(frame->width, frame->height);
    const c10::InferenceMode no_gradients;
    unwrap(preprocess)
        .resize({frame->data, size.width, size.height, static_cast<std::ptrdiff_t>(frame->stride),
                 static_cast<pc::PixelFormat>(frame->pixels)},
                rgb);
    return TRUE;
  });
}

PatchcoreFit* patchcore_fit_new(PatchcoreBackbone* backbone, const PatchcoreFitOptions* options,
                                GError** error) {
  return guarded(error, [&] {
    pc::FitOptions o;
    if (options->coreset_ratio != 0) o.coreset_ratio = options->coreset_ratio;
    o.max_bank_size = options->max_bank_size;
    o.seed = options->seed;
    if (options->false_alarm_rate != 0) o.false_alarms.rate = options->false_alarm_rate;
    o.false_alarms.per_hour = options->alarms_per_hour;
    if (options->folds != 0) o.folds = static_cast<int>(std::min(options->folds, 1u << 20));
    return new PatchcoreFit(std::make_shared<pc::Fit>(backbone->object, fit_settings(*options), o));
  });
}

PatchcoreFit* patchcore_fit_ref(PatchcoreFit* fit) { return ref(fit); }
void patchcore_fit_unref(PatchcoreFit* fit) { unref(fit); }
const PatchcorePreprocess* patchcore_fit_get_preprocess(PatchcoreFit* fit) {
  return wrap(fit->object->preprocess());
}
guint64 patchcore_fit_get_frames(PatchcoreFit* fit) {
  return static_cast<guint64>(fit->object->frames());
}

gboolean patchcore_fit_set_video(PatchcoreFit* fit, gdouble seconds, guint alarm_frames,
                                 gdouble alarm_hysteresis, GError** error) {
  return guarded(error, [&] {
    fit->object->set_video({seconds, alarm_frames, alarm_hysteresis});
    return TRUE;
  });
}

PatchcoreBank* patchcore_fit_build(PatchcoreFit* fit, PatchcoreProgressFunc progress,
                                   gpointer user_data, GCancellable* cancellable, GError** error) {
  return guarded(error, [&] {
    const c10::InferenceMode no_gradients;
    return new PatchcoreBank(std::make_shared<pc::MemoryBank>(
        fit->object->build(monitor(progress, user_data, cancellable))));
  });
}

PatchcoreDetector* patchcore_detector_new(PatchcoreBackbone* backbone, PatchcoreBank* bank,
                                          GCancellable* cancellable, GError** error) {
  return guarded(error, [&] {
    const c10::InferenceMode no_gradients;
    return new PatchcoreDetector(
        pc::Detector::get(backbone->object, bank->object, monitor(nullptr, nullptr, cancellable)));
  });
}

PatchcoreDetector* patchcore_detector_ref(PatchcoreDetector* detector) { return ref(detector); }
void patchcore_detector_unref(PatchcoreDetector* detector) { unref(detector); }
const PatchcorePreprocess* patchcore_detector_get_preprocess(PatchcoreDetector* detector) {
  return wrap(detector->object->preprocess());
}

void patchcore_result_clear(PatchcoreResult* result) {
  g_clear_pointer(&result->map, g_bytes_unref);
  g_clear_pointer(&result->patches, g_bytes_unref);
  result->n_patches = 0;
}

guint patchcore_result_get_regions(const PatchcoreResult* result, gdouble threshold,
                                   PatchcoreRegion* regions, guint n_regions) {
  if (!result->map) return 0;
  return guarded(nullptr, [&] {
    gsize bytes = 0;
    const auto* map = static_cast<const float*>(g_bytes_get_data(result->map, &bytes));
    const pc::Size size = frame_size(result->map_width, result->map_height);
    if (bytes != sizeof *map * size.width * size.height)
      throw pc::Error(pc::ErrorCode::InvalidArgument, "A map has another size than it says.");
    const auto found = pc::find_regions({map, bytes / sizeof *map}, size, threshold);
    const guint count = std::min(n_regions, static_cast<guint>(found.size()));
    for (guint i = 0; i < count; ++i) {
      const pc::Region& r = found[i];
      regions[i] = {r.area.x, r.area.y, r.area.width, r.area.height, r.peak, r.peak_x, r.peak_y};
    }
    return count;
  });
}

gboolean patchcore_colormap(const gchar* name, guint8* rgb, GError** error) {
  return guarded(error, [&]() -> gboolean {
    for (const pc::Colour& colour : pc::colormap(name)) {
      *rgb++ = colour.red;
      *rgb++ = colour.green;
      *rgb++ = colour.blue;
    }
    return TRUE;
  });
}

guint8* patchcore_text_mask(const gchar* text, guint text_height, guint* out_width,
                            guint* out_height, GError** error) {
  return guarded(error, [&] {
    const pc::TextMask mask = pc::text_mask(text, text_height);
    *out_width = static_cast<guint>(mask.size.width);
    *out_height = static_cast<guint>(mask.size.height);
    return static_cast<guint8*>(g_memdup2(mask.pixels.data(), mask.pixels.size()));
  });
}

gboolean patchcore_infer(PatchcoreBackbone* backbone, guint width, guint height,
                         PatchcoreRequest* requests, guint n_requests, GError** error) {
  return guarded(error, [&]() -> gboolean {
    auto batch = to_cpp(backbone, requests, n_requests);
    pc::infer(*backbone->object, frame_size(width, height), batch);
    for (guint i = 0; i < n_requests; ++i)
      if (requests[i].detector) requests[i].result = to_c(batch[i].result);
    return TRUE;
  });
}
