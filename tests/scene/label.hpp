// SPDX-License-Identifier: LGPL-2.1-or-later
// The label on the right half of a part: a white field, a blue band and black print.
#pragma once

#include "part.hpp"

namespace scene {

constexpr double kLabelX = 19.5;  // centre of the label; its y is 0
constexpr double kLabelWidth = 29;
constexpr double kLabelHeight = 38;

// Lays the label's field and band onto the metal.
void lay_label(Surface& surface, Random& random);

// Prints on the label, a little off its place and a little pale, as printers do.
void print_label(Surface& surface, Random& random);

}  // namespace scene
