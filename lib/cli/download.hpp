// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "monitor.hpp"

namespace patchcore::cli {

/// Gets a file over HTTP or HTTPS, of 2 GiB at most. What has come of it is kept in `part` whatever
/// happens, and the next call goes on from there where the server can. A connection that is cut is
/// made again while that gets further. Returns when all has come. Throws Error: NotFound (there is
/// no such file), OpenRead (no network, no answer, a server's error), Write (or another process is
/// at it), NoSpace, Cancelled.
void download(const std::string& address, const std::filesystem::path& part,
              const Monitor& monitor);

}  // namespace patchcore::cli
