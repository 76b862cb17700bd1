// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include "safetensors.hpp"
#include "torch_file.hpp"

namespace patchcore {

/// The named tensors of a file of weights: safetensors, or as torch.save() writes it. Its first
/// bytes tell which.
class WeightsFile {
 public:
  /// Throws Error(NotFound) or Error(OpenRead), naming the path.
  explicit WeightsFile(const std::filesystem::path& path);

  /// Bytes of safetensors, which are copied. Throws Error(OpenRead) with `name` in place of a path.
  WeightsFile(const std::string& name, std::string_view bytes);

  /// The path, or what the bytes are called; for messages.
  const std::string& name() const { return name_; }

  bool contains(const std::string& name) const;

  /// On the CPU, in its stored type; it must be there. Throws Error(OpenRead).
  at::Tensor tensor(const std::string& name);

 private:
  std::string name_;
  std::variant<SafetensorsReader, NamedTensors> content_;
};

}  // namespace patchcore
