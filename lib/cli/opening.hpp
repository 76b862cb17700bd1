// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "ensemble.hpp"
#include "options.hpp"

namespace patchcore::cli {

/// Throws Error: InvalidArgument where an option makes no sense, and what Backbone::get throws.
std::shared_ptr<const Backbone> open_network(const NetworkOptions& options);

/// Loads banks, networks and mask. Throws Error: InvalidArgument where names and files don't go
/// together, never for what a file holds; NotFound, OpenRead, Incompatible, which name the file.
Ensemble open_ensemble(const BankOptions& options);

/// nullptr: all counts. Throws what Mask::load() and Mask::beside() throw.
MaskPtr open_mask(const MaskOptions& options, const std::string& bank,
                  const std::string& bank_name);

}  // namespace patchcore::cli
