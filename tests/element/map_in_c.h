/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../../gst-plugin/gstpatchcoremeta.h"

G_BEGIN_DECLS

const GstPatchCoreMapMeta* map_of(GstBuffer* buffer, guint result);
gfloat last_value(const GstPatchCoreMapMeta* map);

G_END_DECLS
