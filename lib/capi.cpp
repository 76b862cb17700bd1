// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API over the classes: networks, preprocessing, detectors and inference.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <limits>

#include "capi_handles.hpp"
#include "drawing.hpp"
#include "inference.hpp"
#include "parallel.hpp"
#include "preparation.hpp"
#include "regions.hpp"
#include "version.hpp"

G_DEFINE_QUARK(patchcore - error - quark, patchcore_error)

namespace {

constexpr double kRounding = 1e-6;  // of a sum of fractions

std::vector<std::string> layer_names(const gchar* const* layers) {
  std::vector<std::string> names;
  for (; layers && *layers; ++layers) names.emplace_back(*layers);
  if (layers && names.empty())
    throw pc::Error(pc::ErrorCode::InvalidArgument,
                    "The list of layers is empty; without a list the network has its usual ones.");
  return names;
}

pc::Size frame_size(guint width, guint height) { return {pixels(width), pixels(height)}; }

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
          result.patches.defined() ? static_cast<guint>(result.patches.size(0)) : 0,
          bytes_of(result.cells)};
}

/// Where a request's input lies in its frame.
pc::Rectangle region_of(const PatchcoreRequest& r) {
  if (!(r.x >= 0 && r.y >= 0 && r.w > 0 && r.h > 0 && r.x + r.w <= 1 + kRounding &&
        r.y + r.h <= 1 + kRounding))
    throw pc::Error(pc::ErrorCode::InvalidArgument, "A request with a mask lies beside the frame.");
  return {r.x, r.y, r.w, r.h};
}

std::vector<pc::Request> to_cpp(const PatchcoreBackbone* backbone, const PatchcoreRequest* requests,
                                guint count) {
  std::vector<pc::Request> batch(count);
  for (guint i = 0; i < count; ++i) {
    const PatchcoreRequest& r = requests[i];
    const int frames = (r.rgb != nullptr) + (r.rgb_floats != nullptr) + (r.cuda_values != nullptr);
    if (frames != 1 || !r.detector == !r.fit)
      throw pc::Error(pc::ErrorCode::InvalidArgument,
                      "A request needs a frame and either a detector or a fit.");
    const pc::Backbone& own =
        r.detector ? r.detector->object->backbone() : r.fit->object->backbone();
    if (&own != backbone->object.get())
      throw pc::Error(pc::ErrorCode::InvalidArgument, "A request belongs to another backbone.");
    batch[i].rgb = r.rgb;
    batch[i].rgb_floats = r.rgb_floats;
    batch[i].cuda_values = r.cuda_values;
    batch[i].detector = r.detector ? r.detector->object.get() : nullptr;
    batch[i].fit = r.fit ? r.fit->object.get() : nullptr;
    if (r.keep_patches) batch[i].keep_above = r.keep_above;
    if (!r.mask) continue;
    batch[i].mask = r.mask->object.get();
    batch[i].region = region_of(r);
  }
  return batch;
}

template <typename Value>
gboolean resize(const PatchcorePreprocess* preprocess, const PatchcoreImage* frame, Value* rgb,
                GError** error) {
  return guarded(error, [&]() -> gboolean {
    const pc::Size size = frame_size(frame->width, frame->height);
    const c10::InferenceMode no_gradients;
    const pc::OnThisThread alone;
    unwrap(preprocess)
        .resize({frame->data, size.width, size.height, static_cast<std::ptrdiff_t>(frame->stride),
                 static_cast<pc::PixelFormat>(frame->pixels), aspect_of(frame->pixel_aspect)},
                rgb);
    return TRUE;
  });
}

template <typename Value>
gboolean resize_samples(const PatchcorePreprocess* preprocess, const PatchcoreSampledImage* frame,
                        Value* rgb, GError** error) {
  return guarded(error, [&]() -> gboolean {
    const c10::InferenceMode no_gradients;
    const pc::OnThisThread alone;
    unwrap(preprocess).resize_samples(to_cpp(*frame), rgb);
    return TRUE;
  });
}

}  // namespace

const gchar* patchcore_version() { return pc::kVersion; }

void patchcore_prepare() { pc::prepare_process(); }

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

gboolean patchcore_preprocess_get_geometry(const PatchcorePreprocess* preprocess, guint frame_width,
                                           guint frame_height, gdouble pixel_aspect,
                                           PatchcoreGeometry* geometry, GError** error) {
  return guarded(error, [&]() -> gboolean {
    const auto g =
        unwrap(preprocess).geometry(frame_size(frame_width, frame_height), aspect_of(pixel_aspect));
    *geometry = {static_cast<guint>(g.input.width),
                 static_cast<guint>(g.input.height),
                 g.region.x,
                 g.region.y,
                 g.region.width,
                 g.region.height,
                 unwrap(preprocess).wants_floats()};
    return TRUE;
  });
}

gboolean patchcore_preprocess_resize(const PatchcorePreprocess* preprocess,
                                     const PatchcoreImage* frame, guint8* rgb, GError** error) {
  return resize(preprocess, frame, rgb, error);
}

gboolean patchcore_preprocess_resize_floats(const PatchcorePreprocess* preprocess,
                                            const PatchcoreImage* frame, gfloat* rgb,
                                            GError** error) {
  return resize(preprocess, frame, rgb, error);
}

gboolean patchcore_preprocess_resize_samples(const PatchcorePreprocess* preprocess,
                                             const PatchcoreSampledImage* frame, guint8* rgb,
                                             GError** error) {
  return resize_samples(preprocess, frame, rgb, error);
}

gboolean patchcore_preprocess_resize_samples_floats(const PatchcorePreprocess* preprocess,
                                                    const PatchcoreSampledImage* frame, gfloat* rgb,
                                                    GError** error) {
  return resize_samples(preprocess, frame, rgb, error);
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
  g_clear_pointer(&result->cells, g_bytes_unref);
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
