// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <istream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "monitor.hpp"

namespace patchcore {

/// A safetensors file open for reading: an 8-byte length, a JSON header, raw little-endian
/// tensors (https://github.com/huggingface/safetensors). Nothing in it can execute. Every size is
/// checked against the file before memory is asked for; a file that breaks a rule of the format is
/// refused with Error(OpenRead), a missing one with Error(NotFound), both naming the path.
class SafetensorsReader {
 public:
  /// monitor: asked between blocks of everything that is read; Error(Cancelled).
  explicit SafetensorsReader(const std::filesystem::path& path, Monitor monitor = {});

  /// A file's bytes, which are copied; `name` is what messages call it.
  SafetensorsReader(const std::string& name, std::string_view bytes);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const { return entries_.count(name) != 0; }
  std::vector<std::string> names() const;

  /// Reads one tensor to the CPU, in its stored type. Throws Error(OpenRead) when it is absent.
  at::Tensor tensor(const std::string& name);

 private:
  struct Entry {
    at::ScalarType type;
    std::vector<int64_t> shape;
    uint64_t offset;  ///< from the start of the file
    uint64_t bytes;
  };

  void open();
  std::string read_header();
  void parse_header(const std::string& text);
  Entry parse_entry(const std::string& name, const void* json) const;
  void check_layout() const;
  [[noreturn]] void refuse(const std::string& why) const;

  std::filesystem::path path_;
  Monitor monitor_;
  std::unique_ptr<std::istream> file_;
  uint64_t file_size_ = 0;
  uint64_t data_start_ = 0;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Entry> entries_;
};

/// Writes to a temporary name in the same folder, syncs and renames, so that `path` holds either
/// what it held before or all of the new. Throws Error(Write), Error(NoSpace) or Error(Cancelled).
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, std::string>& metadata,
                       const std::map<std::string, at::Tensor>& tensors,
                       const Monitor& monitor = {});

}  // namespace patchcore
