// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace gstpatchcore {

/// A rectangle of a frame, in its pixels.
struct PixelArea {
  gdouble x = 0, y = 0, width = 0, height = 0;
};

/// Makes the process know GstPatchCoreMapMeta; once, from the plugin's init.
void register_map_meta();

/// Puts a map behind what a writable buffer already has. result: index of the result in
/// GstPatchCoreMeta that it belongs to; map: map_width * map_height floats in raw units, of which
/// the buffer takes a reference; covers: where it lies in the frame.
void attach_map(GstBuffer* buffer, guint result, GBytes* map, guint map_width, guint map_height,
                const PixelArea& covers);

}  // namespace gstpatchcore
