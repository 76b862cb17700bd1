// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

namespace patchcore {

/// What tells two files apart without reading them: device, inode, size and times. Equal for two
/// names of one file; another after the file was replaced or changed under its name. Throws
/// Error(NotFound) or Error(OpenRead), naming the path.
std::string file_identity(const std::filesystem::path& path);

}  // namespace patchcore
