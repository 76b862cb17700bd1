// SPDX-License-Identifier: LGPL-2.1-or-later
#include "file_identity.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace patchcore {

std::string file_identity(const std::filesystem::path& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR)
      throw Error(ErrorCode::NotFound, "There is no file \"" + path.string() + "\".");
    throw Error(ErrorCode::OpenRead,
                "Can't read \"" + path.string() + "\": " + std::strerror(reason) + ".");
  }
  std::string identity = std::to_string(now.st_dev) + " " + std::to_string(now.st_ino) + " " +
                         std::to_string(now.st_size);
  // The change time too: archives and copies set the other one.
  for (const timespec& time : {now.st_mtim, now.st_ctim})
    identity += " " + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
  return identity;
}

}  // namespace patchcore
