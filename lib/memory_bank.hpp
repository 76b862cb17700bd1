// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "calibration.hpp"
#include "monitor.hpp"
#include "settings.hpp"

namespace patchcore {

/// The memory bank M of the paper with all that decides a score. docs/bank-format.md describes the
/// file.
struct MemoryBank {
  at::Tensor rows;        ///< K x D float, on the CPU, finite
  at::Tensor neighbours;  ///< K x b int64: the b rows nearest to each row, itself first
  Settings settings;
  Calibration calibration;

  std::string origin;            ///< the file it was loaded from, for messages; not saved
  std::string weights_id;        ///< Backbone::weights_id()
  std::string weights_location;  ///< where the weights were; a hint, checked against weights_id
  std::string precision = "fp32";
  uint64_t seed = 0;
  int64_t frames = 0;  ///< that the bank was fitted on; 0: unknown (imported)

  int64_t size() const { return rows.size(0); }
  int64_t width() const { return rows.size(1); }

  /// Throws Error: NotFound, OpenRead with the reason, both naming the file. Refuses NaN, infinity,
  /// rows without neighbours and every size that the file doesn't hold.
  static MemoryBank load(const std::filesystem::path& path);

  /// Atomic; see write_safetensors.
  void save(const std::filesystem::path& path, const Monitor& monitor = {}) const;
};

}  // namespace patchcore
