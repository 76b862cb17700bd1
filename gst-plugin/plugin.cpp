// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstpatchcoredetect.h"
#include "gstpatchcorejson.h"
#include "mapmeta.hpp"
#include "result.hpp"

static gboolean plugin_init(GstPlugin* plugin) {
  gstpatchcore::register_meta();
  gstpatchcore::register_map_meta();
  return GST_ELEMENT_REGISTER(patchcoredetect, plugin) &&
         GST_ELEMENT_REGISTER(patchcorejson, plugin);
}

#define PACKAGE "patchcore"

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, patchcore, "PatchCore anomaly detection",
                  plugin_init, PATCHCORE_VERSION, "LGPL", "patchcore",
                  "https://arxiv.org/abs/2106.08265")
