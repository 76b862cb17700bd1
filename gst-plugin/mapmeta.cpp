// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapmeta.hpp"

#include <gst/video/video.h>

#include "gstpatchcoremeta.h"

namespace gstpatchcore {
namespace {

GstPatchCoreMapMeta* as_map(GstMeta* meta) { return reinterpret_cast<GstPatchCoreMapMeta*>(meta); }

gboolean init_map(GstMeta* meta, gpointer, GstBuffer*) {
  const GstMeta head = *meta;
  *as_map(meta) = {};
  *meta = head;
  return TRUE;
}

void free_map(GstMeta* meta, GstBuffer*) { g_clear_pointer(&as_map(meta)->map, g_bytes_unref); }

gdouble display_ratio(const GstVideoInfo& info) {
  return static_cast<gdouble>(GST_VIDEO_INFO_WIDTH(&info)) * GST_VIDEO_INFO_PAR_N(&info) /
         (static_cast<gdouble>(GST_VIDEO_INFO_HEIGHT(&info)) * GST_VIDEO_INFO_PAR_D(&info));
}

/// Does the scaled picture fill its frame? Where the shape of the display changes, scalers put
/// borders beside it by default, and this transform can't say whether they did. A pixel is what
/// they round.
bool fills_frame(const GstVideoMetaTransform& scaling) {
  const gdouble share = display_ratio(*scaling.in_info) / display_ratio(*scaling.out_info);
  const gdouble rows = GST_VIDEO_INFO_HEIGHT(scaling.out_info),
                columns = GST_VIDEO_INFO_WIDTH(scaling.out_info);
  return share >= 1 ? rows - rows / share <= 1 : columns - columns * share <= 1;
}

void attach_scaled(GstBuffer* to, const GstPatchCoreMapMeta& from,
                   const GstVideoMetaTransform& scaling) {
  const gdouble sx = static_cast<gdouble>(GST_VIDEO_INFO_WIDTH(scaling.out_info)) /
                     GST_VIDEO_INFO_WIDTH(scaling.in_info);
  const gdouble sy = static_cast<gdouble>(GST_VIDEO_INFO_HEIGHT(scaling.out_info)) /
                     GST_VIDEO_INFO_HEIGHT(scaling.in_info);
  attach_map(to, from.result, from.map, from.map_width, from.map_height,
             {from.x * sx, from.y * sy, from.width * sx, from.height * sy});
}

/// The rectangle must be right wherever the map is, so what isn't known here loses it. FALSE only
/// for an unknown transform, on which elements fall back to another one.
gboolean transform_map(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark type, gpointer data) {
  const GstPatchCoreMapMeta& from = *as_map(meta);
  if (GST_META_TRANSFORM_IS_COPY(type)) {
    if (!static_cast<GstMetaTransformCopy*>(data)->region)
      attach_map(to, from.result, from.map, from.map_width, from.map_height,
                 {from.x, from.y, from.width, from.height});
    return TRUE;
  }
  if (!GST_VIDEO_META_TRANSFORM_IS_SCALE(type)) return FALSE;
  const auto& scaling = *static_cast<GstVideoMetaTransform*>(data);
  if (fills_frame(scaling)) attach_scaled(to, from, scaling);
  return TRUE;
}

}  // namespace

void register_map_meta() {
  if (gst_meta_get_info(GST_PATCHCORE_MAP_META_NAME)) return;
  static const gchar* tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_SIZE_STR,
                                GST_META_TAG_VIDEO_ORIENTATION_STR, nullptr};
  const GType api = gst_meta_api_type_register(GST_PATCHCORE_MAP_META_NAME "API", tags);
  gst_meta_register(api, GST_PATCHCORE_MAP_META_NAME, sizeof(GstPatchCoreMapMeta), init_map,
                    free_map, transform_map);
}

void attach_map(GstBuffer* buffer, guint result, GBytes* map, guint map_width, guint map_height,
                const PixelArea& covers) {
  auto* meta =
      as_map(gst_buffer_add_meta(buffer, gst_meta_get_info(GST_PATCHCORE_MAP_META_NAME), nullptr));
  meta->result = result;
  meta->map = g_bytes_ref(map);
  meta->map_width = map_width;
  meta->map_height = map_height;
  meta->x = covers.x;
  meta->y = covers.y;
  meta->width = covers.width;
  meta->height = covers.height;
}

}  // namespace gstpatchcore
