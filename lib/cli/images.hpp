// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace patchcore::cli {

/// An image file, and what it is called in results.
struct ImageFile {
  std::filesystem::path path;
  std::string name;  ///< the path below the folder that was listed
};

/// The files in and below `folder` whose extension says that they are images (png, jpg, jpeg, bmp,
/// tif, tiff, webp, ppm, pgm, in any case), ordered by the bytes of their names. Links to folders
/// are not followed. Throws Error: NotFound where there is no such folder, OpenRead where one can't
/// be read.
std::vector<ImageFile> list_images(const std::filesystem::path& folder);

/// The same, and Error(NotFound) that names the folder where it holds no image.
std::vector<ImageFile> require_images(const std::filesystem::path& folder);

/// 8-bit RGB, as stored: orientation tags are ignored, as a camera's stream has none. Deeper
/// images become 8-bit, transparency is dropped. Throws Error(OpenRead), naming the file, where it
/// is empty, cut off or no image.
cv::Mat read_rgb(const std::filesystem::path& file);

/// 8-bit grey; otherwise as read_rgb.
cv::Mat read_grey(const std::filesystem::path& file);

}  // namespace patchcore::cli
