// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>

namespace patchcore {

/// A PNG file of any kind as 8-bit grey; what is transparent is black. By libpng, which
/// libpatchcore links in place of OpenCV's image files with all that stands behind them. Throws
/// Error: NotFound, OpenRead (no PNG, cut off, or more than 100 million pixels), naming the file.
cv::Mat1b read_png(const std::filesystem::path& path);

}  // namespace patchcore
