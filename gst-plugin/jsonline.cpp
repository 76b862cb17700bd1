// SPDX-License-Identifier: LGPL-2.1-or-later
#include "jsonline.hpp"

#include <gst/video/video.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gstpatchcoremeta.h"
#include "handles.hpp"
#include "regionmeta.hpp"

namespace gstpatchcore {
namespace {

using Json = nlohmann::ordered_json;

Json time_of(GstClockTime time) { return GST_CLOCK_TIME_IS_VALID(time) ? Json(time) : Json(); }

/// RFC 3339 with nanoseconds: as a number it would be past what a double holds.
Json date_of(GstClockTime utc) {
  if (!GST_CLOCK_TIME_IS_VALID(utc)) return {};
  GDateTime* time = g_date_time_new_from_unix_utc(static_cast<gint64>(utc / GST_SECOND));
  if (!time) return {};
  const CharPtr seconds(g_date_time_format(time, "%Y-%m-%dT%H:%M:%S"));
  g_date_time_unref(time);
  const CharPtr text(
      g_strdup_printf("%s.%09" G_GUINT64_FORMAT "Z", seconds.get(), utc % GST_SECOND));
  return text.get();
}

/// null for what JSON has no number for.
Json number(gdouble value) { return std::isfinite(value) ? Json(value) : Json(); }

Json value_of(const GValue* value) {
  if (G_VALUE_HOLDS_STRING(value)) {
    const gchar* text = g_value_get_string(value);
    return text ? Json(text) : Json();
  }
  if (G_VALUE_HOLDS_BOOLEAN(value)) return g_value_get_boolean(value) != FALSE;
  if (G_VALUE_HOLDS_DOUBLE(value)) return number(g_value_get_double(value));
  if (G_VALUE_HOLDS_INT(value)) return g_value_get_int(value);
  if (G_VALUE_HOLDS_UINT(value)) return g_value_get_uint(value);
  if (G_VALUE_HOLDS_UINT64(value)) return time_of(g_value_get_uint64(value));
  return {};
}

/// All fields but the version, which is the line's.
Json object_of(const GstStructure* structure) {
  Json object = Json::object();
  gst_structure_foreach(
      structure,
      [](GQuark field, const GValue* value, gpointer to) -> gboolean {
        const gchar* name = g_quark_to_string(field);
        if (!g_str_equal(name, "version")) (*static_cast<Json*>(to))[name] = value_of(value);
        return TRUE;
      },
      &object);
  return object;
}

Json results_of(GstBuffer* buffer) {
  Json results = Json::array();
  for (guint i = 0; i < gst_patchcore_meta_get_n_results(buffer); ++i)
    if (const GstStructure* result = gst_patchcore_meta_get_result(buffer, i))
      results.push_back(object_of(result));
  return results;
}

}  // namespace

std::optional<std::string> json_line(GstBuffer* buffer, const Moment& moment, FrameSize size) {
  if (!gst_patchcore_meta_get_results(buffer)) return std::nullopt;
  Json line{
      {"version", GST_PATCHCORE_META_VERSION},      {"timestamp", time_of(moment.timestamp)},
      {"stream-time", time_of(moment.stream_time)}, {"running-time", time_of(moment.running_time)},
      {"duration", time_of(moment.duration)},       {"utc", date_of(moment.utc)}};
  if (size.width > 0 && size.height > 0) {
    line["width"] = size.width;
    line["height"] = size.height;
  }
  line["results"] = results_of(buffer);
  line["regions"] = Json::array();
  for (const AttachedRegion& region : attached_regions(buffer)) {
    Json object{
        {"x", region.x}, {"y", region.y}, {"width", region.width}, {"height", region.height}};
    if (region.about) object.update(object_of(region.about));
    if (region.confidence) object["normalized-score"] = number(*region.confidence);
    line["regions"].push_back(std::move(object));
  }
  // What isn't UTF-8 (a file's name may be anything) becomes U+FFFD.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gstpatchcore
