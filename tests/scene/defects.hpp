// SPDX-License-Identifier: LGPL-2.1-or-later
// What can go wrong with a part.
#pragma once

#include <span>
#include <string_view>

#include "part.hpp"

namespace scene {

struct DefectKind {
  std::string_view name;                           // fit for a folder name
  void (*inflict)(Surface& part, Random& random);  // random in place, size and shape
};

// Every kind there is, in a fixed order.
std::span<const DefectKind> defect_kinds();

}  // namespace scene
