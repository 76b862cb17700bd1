// SPDX-License-Identifier: LGPL-2.1-or-later
// Flaws drawn on pictures of somebody's own product, so that settings can be chosen without a
// picture of a real defect: the training pictures are split, and flaws are drawn on some.
#pragma once

#include <span>

#include "defects.hpp"

namespace scene {

// A picture (8-bit BGR) as a surface whose shorter side is 64 mm long: what it shows is its albedo.
Surface surface_of(const cv::Mat& picture);

// Every kind of flaw that can be drawn on any surface, in a fixed order.
std::span<const DefectKind> flaw_kinds();

struct Flawed {
  cv::Mat picture;  // 8-bit BGR
  cv::Mat mask;     // 255 where the flaw changes a channel by 6 levels or more
};

Flawed with_flaw(const cv::Mat& picture, const DefectKind& kind, Random& random);

}  // namespace scene
