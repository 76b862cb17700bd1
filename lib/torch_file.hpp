// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "pickle.hpp"

namespace patchcore {

using NamedTensors = std::map<std::string, at::Tensor>;

/// A file as torch.save() writes it, .pth, .pt or .ckpt: the archive of PyTorch 1.6 and later, or
/// the older plain file. Tensors are built, on the CPU in their stored type; nothing that the file
/// asks for is ever called. Every size is checked against the file before memory is asked for.
class TorchFile {
 public:
  /// What is done where the file names a class or function that isn't needed to build tensors.
  enum class Unknown {
    Refuse,  ///< Error(OpenRead) that names it
    Ignore,  ///< its objects stay PickleObjects; what runs programs or code is refused all the same
  };

  /// Throws Error(NotFound) or Error(OpenRead), naming the path.
  explicit TorchFile(const std::filesystem::path& path, Unknown unknown = Unknown::Refuse);
  ~TorchFile();
  TorchFile(const TorchFile&) = delete;
  TorchFile& operator=(const TorchFile&) = delete;

  const PickleValue& root() const;

  /// The tensors of a dict, or of the dict under "state_dict" in it, by their names. Throws
  /// Error(OpenRead) where there is no such dict, or where they would take much more memory than
  /// the file has bytes.
  NamedTensors state_dict() const;

  /// Does a file begin as one of these?
  static bool is_one(const std::filesystem::path& path);

 private:
  class Reader;
  std::filesystem::path path_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace patchcore
