/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * Reading what patchcoredetect says of a frame. Include this header; there is nothing to link but
 * GStreamer, and nothing to register: the plugin does that (a second registration is an error).
 * docs/metadata.md describes both metas, and what becomes of them on their way.
 *
 * GstPatchCoreMeta is a GstCustomMeta without tags, so that scaling, cropping, encoding and
 * payloading keep it. Its structure has one field, `results`: a GST_TYPE_LIST of structures, one
 * for each patchcoredetect that the frame has passed, or one for each region of interest that it
 * looked at.
 *
 *     const GstStructure *result = gst_patchcore_meta_get_result (buffer, 0);
 *     gdouble score;
 *     if (result && gst_structure_get_double (result, "score", &score)) ...
 *
 * GstPatchCoreMapMeta is a meta of its own, one for each result that has a map. Scaling moves its
 * rectangle along; cropping, flipping and RTP lose it.
 *
 *     const GstPatchCoreMapMeta *map = gst_patchcore_map_meta_get (buffer, 0);
 *     if (map) {
 *       const gfloat *values = gst_patchcore_map_meta_get_values (map);
 *       gfloat top_left = values[0], bottom_right = values[map->map_width * map->map_height - 1];
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_PATCHCORE_META_NAME "GstPatchCoreMeta"
#define GST_PATCHCORE_META_VERSION 1

/* The list of results, owned by the buffer; NULL where the frame has none. */
static inline const GValue* gst_patchcore_meta_get_results(GstBuffer* buffer) {
  GstCustomMeta* meta;

  /* Asking for a type that was never registered is a critical. */
  if (!gst_meta_get_info(GST_PATCHCORE_META_NAME)) return NULL;
  meta = gst_buffer_get_custom_meta(buffer, GST_PATCHCORE_META_NAME);
  if (!meta) return NULL;
  return gst_structure_get_value(gst_custom_meta_get_structure(meta), "results");
}

static inline guint gst_patchcore_meta_get_n_results(GstBuffer* buffer) {
  const GValue* results = gst_patchcore_meta_get_results(buffer);

  return results ? gst_value_list_get_size(results) : 0;
}

/* One result, in the order of the elements; owned by the buffer; NULL where there is none. */
static inline const GstStructure* gst_patchcore_meta_get_result(GstBuffer* buffer, guint index) {
  const GValue* results = gst_patchcore_meta_get_results(buffer);

  if (!results || index >= gst_value_list_get_size(results)) return NULL;
  return gst_value_get_structure(gst_value_list_get_value(results, index));
}

#define GST_PATCHCORE_MAP_META_NAME "GstPatchCoreMapMeta"

/* An anomaly map and the place in the frame that it covers. Not all of the frame with a crop. */
typedef struct {
  GstMeta meta;

  guint result; /* index of the result in GstPatchCoreMeta that it belongs to */
  GBytes* map;  /* map_width * map_height gfloat in raw units, row by row; may be shared */
  guint map_width, map_height;
  gdouble x, y, width, height; /* in pixels of the frame */
} GstPatchCoreMapMeta;

/* The map of result number `result`, owned by the buffer; NULL where it has none. A crop that is
 * only noted on the buffer (GstVideoCropMeta) loses the map as one that copies the frame does. */
static inline const GstPatchCoreMapMeta* gst_patchcore_map_meta_get(GstBuffer* buffer,
                                                                    guint result) {
  const GstMetaInfo* info = gst_meta_get_info(GST_PATCHCORE_MAP_META_NAME);
  const GstMetaInfo* crop = gst_meta_get_info("GstVideoCropMeta");
  gpointer state = NULL;
  GstMeta* meta;

  if (!info || (crop && gst_buffer_get_meta(buffer, crop->api))) return NULL;
  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state, info->api))) {
    const GstPatchCoreMapMeta* map = (const GstPatchCoreMapMeta*)meta;

    if (map->result == result) return map;
  }
  return NULL;
}

/* map->map_width * map->map_height values, row by row; valid as long as the meta. */
static inline const gfloat* gst_patchcore_map_meta_get_values(const GstPatchCoreMapMeta* map) {
  return (const gfloat*)g_bytes_get_data(map->map, NULL);
}

G_END_DECLS
