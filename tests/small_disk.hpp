// SPDX-License-Identifier: LGPL-2.1-or-later
// A disk that can be filled: a real file system, in a mount namespace that only the process sees.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "files.hpp"

inline void demand(bool done) {
  if (!done) throw std::system_error(errno, std::generic_category());
}

inline void write_map(const char* file, const std::string& text) {
  const int handle = ::open(file, O_WRONLY | O_CLOEXEC);
  demand(handle >= 0);
  const ssize_t written = ::write(handle, text.data(), text.size());
  const int reason = errno;
  ::close(handle);
  errno = reason;
  demand(written == static_cast<ssize_t>(text.size()));
}

/// Mounts of this process are its own from here on; for that one who isn't root becomes the root
/// of a user namespace.
inline void own_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) {
    const std::string user = std::to_string(::geteuid()), group = std::to_string(::getegid());
    demand(::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    write_map("/proc/self/setgroups", "deny");
    write_map("/proc/self/uid_map", "0 " + user + " 1");
    write_map("/proc/self/gid_map", "0 " + group + " 1");
  }
  demand(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
}

/// An empty file system in place of a folder, until the end of the scope. Once a process.
class SmallDisk {
 public:
  explicit SmallDisk(const TemporaryFolder& folder, const char* limits = "size=1m")
      : path_(folder.path()) {
    own_mounts();
    demand(::mount("tmpfs", path_.c_str(), "tmpfs", 0, limits) == 0);
  }
  ~SmallDisk() { ::umount2(path_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

 private:
  std::filesystem::path path_;
};

/// Why there is no small disk to be had here, 0 where there is: an errno.
inline int why_no_disk() {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      const SmallDisk disk(folder);
    } catch (const std::system_error& error) {
      ::_exit(error.code().value());
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
