// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "pickle.hpp"

namespace patchcore {

/// How torch.save() puts tensors into a pickle: makes these, and nothing else. Throws
/// Error(OpenRead), with the reason alone.
class TorchTensors : public PickleNames {
 public:
  /// file_size: the bytes that all storages have at most. ignore_unknown: see TorchFile::Unknown.
  TorchTensors(uint64_t file_size, bool ignore_unknown)
      : file_size_(file_size), ignore_unknown_(ignore_unknown) {}

  void named(const PickleGlobal& name) override;
  std::optional<PickleValue> called(const PickleGlobal& name,
                                    const PickleItems& arguments) override;
  PickleValue persistent(const PickleItems& id) override;

  /// One dimension of values that are not read yet, by their key in the file. Tensors share them.
  const std::map<std::string, at::Tensor>& storages() const { return storages_; }

 private:
  uint64_t file_size_;
  bool ignore_unknown_;
  uint64_t bytes_ = 0;  ///< of all storages
  std::map<std::string, at::Tensor> storages_;
};

}  // namespace patchcore
