/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * Reading what patchcoredetect says of a frame. Include this header; there is nothing to link but
 * GStreamer, and nothing to register: the plugin does that (a second registration is an error).
 *
 * GstPatchCoreMeta is a GstCustomMeta without tags, so that scaling, cropping, encoding and
 * payloading keep it. Its structure has one field, `results`: a GST_TYPE_LIST of structures, one
 * for each patchcoredetect that the frame has passed. docs/metadata.md describes their fields.
 *
 *     const GstStructure *result = gst_patchcore_meta_get_result (buffer, 0);
 *     gdouble score;
 *     if (result && gst_structure_get_double (result, "score", &score)) ...
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

G_END_DECLS
