// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "image.hpp"
#include "settings.hpp"

namespace patchcore {

/// Makes a changed copy of a picture, so that a fit also learns what a frame could have looked
/// like. How far it is shifted or how bright it becomes is drawn from seed and frame, the same on
/// every machine. Mirrored and moved edges repeat the border's pixels.
///
/// rgb, out: size.height x size.width x 3 each, apart from each other. frame: its number in the
/// fit.
void augment(Augmentation kind, const uint8_t* rgb, Size size, uint64_t seed, int64_t frame,
             uint8_t* out);
void augment(Augmentation kind, const float* rgb, Size size, uint64_t seed, int64_t frame,
             float* out);

}  // namespace patchcore
