// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <filesystem>

namespace patchcore {

/// A file that vanishes unless it is committed under its real name: written under a temporary one
/// in the same folder, synced and renamed, so that `path` holds either what it held before or all
/// of the new. A link stays a link and what it names is replaced; a device or a folder never is.
/// All throw Error(Write) or Error(NoSpace), naming the path.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const char* data, size_t size);
  void commit();

 private:
  [[noreturn]] void fail() const;
  void sync_folder() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace patchcore
