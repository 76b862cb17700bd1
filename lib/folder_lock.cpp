// SPDX-License-Identifier: LGPL-2.1-or-later
#include "folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace patchcore {
namespace {

constexpr auto kBetweenTries = std::chrono::milliseconds(20);

/// A link's file is what will be replaced, in its own folder.
std::filesystem::path folder_of(const std::filesystem::path& file) {
  std::error_code none;
  const std::filesystem::path real = std::filesystem::weakly_canonical(file, none);
  const std::filesystem::path folder = (real.empty() ? file : real).parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& file, const Monitor& monitor)
    : folder_(open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  // Not waited for in the kernel, where nobody could cancel it.
  while (folder_ >= 0 && flock(folder_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return;
    try {
      monitor.check();
    } catch (...) {
      close(folder_);
      throw;
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

FolderLock::~FolderLock() {
  if (folder_ >= 0) close(folder_);
}

}  // namespace patchcore
