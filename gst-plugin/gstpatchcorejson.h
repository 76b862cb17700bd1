// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_PATCHCORE_JSON (gst_patchcore_json_get_type())
G_DECLARE_FINAL_TYPE(GstPatchCoreJson, gst_patchcore_json, GST, PATCHCORE_JSON, GstElement)

GST_ELEMENT_REGISTER_DECLARE(patchcorejson)

G_END_DECLS
