// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "config.hpp"
#include "stream.hpp"

namespace gstpatchcore {

/// Installs the element's properties. Their ids are this file's own affair.
void install_properties(GObjectClass* klass);

/// Reads a property that tells what goes on: stream is nullptr where the element is in NULL or
/// READY. False: it is none of these. Takes locks; the caller holds none.
bool get_state(const Stream* stream, guint id, GValue* value);

/// Set or read one property. The caller holds the object lock. False: no such id.
bool set_property(Config& config, LiveConfig& live, guint id, const GValue* value);
bool get_property(const Config& config, const LiveConfig& live, guint id, GValue* value);

}  // namespace gstpatchcore
