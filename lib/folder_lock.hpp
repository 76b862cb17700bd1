// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>

#include "monitor.hpp"

namespace patchcore {

/// Keeps others who ask for it, in any thread or process, from reading and then replacing a file of
/// the same folder meanwhile. The kernel's lock of the folder (flock), which leaves no file behind
/// and goes with a process that dies. Where a file system can't do it, there is none.
class FolderLock {
 public:
  /// file: whose folder. Waits. Throws Error(Cancelled).
  FolderLock(const std::filesystem::path& file, const Monitor& monitor);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int folder_;
};

}  // namespace patchcore
