// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <string>

#include "config.hpp"
#include "framequeue.hpp"

namespace gstpatchcore {

/// Makes the process know GstPatchCoreMeta; once, from the plugin's init.
void register_meta();

/// What is told of one frame, in its metadata and in its message. docs/metadata.md lists the
/// fields. camera_id: never empty.
StructurePtr make_result(const Frame& frame, const PatchcoreBankInfo& bank, const LiveConfig& live,
                         const std::string& camera_id);

/// Is this frame anomalous, or may it be since there is no threshold that says?
bool shows_heatmap(const GstStructure* result);

/// Puts a result behind those that a writable buffer already has.
void attach_result(GstBuffer* buffer, const GstStructure* result);

/// Posts a result as an element message "patchcore", with the times that level's message has.
void post_result(GstElement* element, const GstSegment& segment, GstBuffer* buffer,
                 const GstStructure* result);

}  // namespace gstpatchcore
