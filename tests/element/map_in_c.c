/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inline readers, as a C program uses them. */
#include "map_in_c.h"

const GstPatchCoreMapMeta* map_of(GstBuffer* buffer, guint result) {
  return gst_patchcore_map_meta_get(buffer, result);
}

gfloat last_value(const GstPatchCoreMapMeta* map) {
  return gst_patchcore_map_meta_get_values(map)[map->map_width * map->map_height - 1];
}
