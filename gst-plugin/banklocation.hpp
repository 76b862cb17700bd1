// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace gstpatchcore {

/// Where a bank is, or will be.
struct BankLocation {
  std::string file;
  std::string name{};  ///< in a file that holds several; empty: the one without a name

  /// As messages show it: with a name parts.safetensors#cap.
  std::string shown() const { return name.empty() ? file : file + "#" + name; }
  bool operator==(const BankLocation&) const = default;
};

}  // namespace gstpatchcore
