/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_PATCHCORE_DETECT (gst_patchcore_detect_get_type())
G_DECLARE_FINAL_TYPE(GstPatchCoreDetect, gst_patchcore_detect, GST, PATCHCORE_DETECT, GstElement)

GST_ELEMENT_REGISTER_DECLARE(patchcoredetect)

G_END_DECLS
