// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API over the classes: banks and fits.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstring>

#include "bank_extension.hpp"
#include "bank_file.hpp"
#include "capi_handles.hpp"
#include "confidence.hpp"

namespace {

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

/// The rows of all sets, one set below the other: `width` values of a type each.
at::Tensor rows_of(GBytes* const* sets, guint count, int64_t width, at::ScalarType type,
                   const pc::Monitor& monitor) {
  const gsize row = c10::elementSize(type) * static_cast<gsize>(width);
  int64_t rows = 0;
  for (guint i = 0; i < count; ++i) {
    const gsize bytes = sets[i] ? g_bytes_get_size(sets[i]) : 1;
    if (bytes % row != 0)
      throw pc::Error(pc::ErrorCode::InvalidArgument,
                      "Set " + std::to_string(i) + " of the patches doesn't hold rows of " +
                          std::to_string(row) + " bytes, as the bank has them.");
    rows += static_cast<int64_t>(bytes / row);
  }
  const at::Tensor all = at::empty({rows, width}, type);
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

}  // namespace

PatchcoreBank* patchcore_bank_load(const gchar* path, const gchar* name, GCancellable* cancellable,
                                   GError** error) {
  return guarded(error, [&] {
    return new PatchcoreBank(
        pc::MemoryBank::get(path, text(name, ""), monitor(nullptr, nullptr, cancellable)));
  });
}

gchar** patchcore_bank_list_names(const gchar* path, GError** error) {
  return guarded(error, [&] {
    const pc::BankFile file(path);
    auto** names = g_new0(gchar*, file.names().size() + 1);
    for (size_t i = 0; i < file.names().size(); ++i) names[i] = g_strdup(file.names()[i].c_str());
    return names;
  });
}

gboolean patchcore_bank_exists(const gchar* path, const gchar* name) {
  return guarded(
      nullptr, [&]() -> gboolean { return pc::bank_exists(path, text(name, "")) ? TRUE : FALSE; });
}

gboolean patchcore_bank_check_room(const gchar* path, const gchar* name, GError** error) {
  return guarded(error, [&]() -> gboolean {
    pc::check_room(path, text(name, ""));
    return TRUE;
  });
}

gboolean patchcore_bank_save(PatchcoreBank* bank, const gchar* path, const gchar* name,
                             GCancellable* cancellable, GError** error) {
  return guarded(error, [&]() -> gboolean {
    bank->object->save(path, text(name, ""), monitor(nullptr, nullptr, cancellable));
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
  info->grid_width = static_cast<guint>(b.positions.grid.width);
  info->grid_height = static_cast<guint>(b.positions.grid.height);
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
                                     GBytes* const* cells, guint n_patch_sets, gdouble covered,
                                     GCancellable* cancellable, GError** error) {
  return guarded(error, [&] {
    const c10::InferenceMode no_gradients;
    const pc::Monitor m = monitor(nullptr, nullptr, cancellable);
    const at::Tensor rows = rows_of(patches, n_patch_sets, bank->object->width(), at::kFloat, m);
    const at::Tensor of_cells =
        cells ? rows_of(cells, n_patch_sets, 1, at::kLong, m).select(1, 0) : at::Tensor();
    return new PatchcoreBank(
        std::make_shared<pc::MemoryBank>(pc::extended(*bank->object, rows, of_cells, covered, m)));
  });
}

const gchar* patchcore_bank_get_id(PatchcoreBank* bank) { return bank->object->id.c_str(); }
const gchar* patchcore_bank_get_model(PatchcoreBank* bank) {
  return bank->object->settings.backbone.c_str();
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
    o.drop_outliers = options->drop_outliers != FALSE;
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

guint patchcore_fit_get_outliers(PatchcoreFit* fit, PatchcoreOutlier* outliers, guint n_outliers,
                                 gdouble* limit) {
  return guarded(nullptr, [&] {
    const pc::Outliers found = fit->object->outliers();
    if (limit) *limit = found.limit;
    const guint count = outliers ? n_outliers : 0;
    for (guint i = 0; i < count && i < found.frames.size(); ++i)
      outliers[i] = {static_cast<guint64>(found.frames[i].frame), found.frames[i].score};
    return static_cast<guint>(found.frames.size());
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
