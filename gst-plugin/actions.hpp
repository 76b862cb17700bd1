// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "stream.hpp"

namespace gstpatchcore {

/// Installs the action signals finish-fit, save-bank, reset and add-normal, which return TRUE where
/// they are accepted. stream_of: an element's stream, nullptr in NULL and READY.
void install_actions(GType type, std::shared_ptr<Stream> (*stream_of)(gpointer element));

}  // namespace gstpatchcore
