// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "timing.hpp"

namespace gstpatchcore {

struct FrameSize {
  gint width = 0, height = 0;  ///< pixels; 0: not known
};

/// What the elements before have said of a frame: one line of JSON with a newline at its end, as
/// docs/patchcorejson.schema.json has it. Nothing where the buffer has no GstPatchCoreMeta.
std::optional<std::string> json_line(GstBuffer* buffer, const Moment& moment, FrameSize size);

}  // namespace gstpatchcore
