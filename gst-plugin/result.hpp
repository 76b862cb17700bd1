// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <string>
#include <vector>

#include "framequeue.hpp"
#include "timing.hpp"

namespace gstpatchcore {

/// Makes the process know GstPatchCoreMeta; once, from the plugin's init.
void register_meta();

/// What is told of one frame, in its metadata and in its messages: one structure, or one for each
/// region of interest. docs/metadata.md lists the fields.
/// shown: the inspection whose scores they have, its own or for a stale frame an earlier one;
/// nullptr: none. camera_id: never empty.
std::vector<StructurePtr> make_results(FrameState state, const Inspection* shown,
                                       const LiveConfig& live, const std::string& camera_id);

/// Is what this job looked at anomalous, or may it be since there is no threshold that says?
bool is_marked(const Job& job, const Scorer& scorer, const LiveConfig& live);

/// Appends a copy to a list.
void append_structure(GValue* list, const GstStructure* structure);

/// Puts results behind those that a writable buffer already has. Returns the index of the first.
guint attach_results(GstBuffer* buffer, const std::vector<StructurePtr>& results);

/// Posts a result as an element message "patchcore".
void post_result(GstElement* element, const Moment& moment, const GstStructure* result);

}  // namespace gstpatchcore
