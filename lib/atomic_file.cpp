// SPDX-License-Identifier: LGPL-2.1-or-later
#include "atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace patchcore {
namespace {

namespace fs = std::filesystem;

fs::path target_of(const fs::path& path) {
  std::error_code none;
  const fs::path target = fs::is_symlink(path, none) ? fs::canonical(path, none) : path;
  const auto status = fs::status(path, none);
  if (!fs::exists(status) || fs::is_regular_file(status)) return target.empty() ? path : target;
  throw Error(ErrorCode::Write,
              "Can't write \"" + path.string() + "\": it is there and not a regular file.");
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(target_of(path)) {
  static std::atomic<unsigned> serial{0};
  temporary_ = path_.parent_path() / ("." + path_.filename().string() + "." +
                                      std::to_string(::getpid()) + "." + std::to_string(serial++));
  // O_EXCL: nobody's file is followed or overwritten; 0666 leaves the mode to the umask.
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail();
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    data += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail();
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
  committed_ = true;
  sync_folder();
}

void AtomicFile::fail() const {
  const int reason = errno;
  const bool full = reason == ENOSPC || reason == EDQUOT;
  throw Error(full ? ErrorCode::NoSpace : ErrorCode::Write,
              "Can't write \"" + path_.string() + "\": " + std::strerror(reason) + ".");
}

void AtomicFile::sync_folder() const {
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;  // the rename has happened; only its durability is unknown
  ::fsync(handle);
  ::close(handle);
}

}  // namespace patchcore
