// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "calibration.hpp"
#include "settings.hpp"
#include "torch_file.hpp"

namespace patchcore::cli {

/// A PatchCore that anomalib 2.7 trained, from its checkpoint. docs/command-line.md says what is
/// taken for what.
struct AnomalibCheckpoint {
  at::Tensor rows;          ///< K x D float, on the CPU, finite
  NamedTensors weights;     ///< of the network, by torchvision's names
  Settings settings;        ///< the preset anomalib, with its network, sizes and neighbours
  Calibration calibration;  ///< thresholds without scores; not valid() where it has none

  /// Throws Error, naming the file and the reason: NotFound, OpenRead (no such checkpoint, or
  /// pictures are prepared in a way that a bank can't say).
  static AnomalibCheckpoint read(const std::filesystem::path& file);
};

}  // namespace patchcore::cli
