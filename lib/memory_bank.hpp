// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "calibration.hpp"
#include "monitor.hpp"
#include "positions.hpp"
#include "settings.hpp"

namespace patchcore {

/// The memory bank M of the paper with all that decides a score. docs/bank-format.md describes the
/// file.
struct MemoryBank {
  at::Tensor rows;        ///< K x D float, on the CPU, finite
  at::Tensor neighbours;  ///< K x b int64: the b rows nearest to each row, itself first
  Positions positions;    ///< of each row; known where settings.search_radius is above 0
  Settings settings;
  Calibration calibration;

  std::string origin;            ///< where it was loaded from, as messages show it; not saved
  std::string weights_id;        ///< Backbone::weights_id()
  std::string weights_location;  ///< where the weights were; a hint, checked against weights_id
  std::string precision = "fp32";
  uint64_t seed = 0;
  int64_t frames = 0;  ///< that the bank was fitted on; 0: unknown (imported)

  /// Of a bank that is given out, identify()'s result, else empty; not saved.
  std::string id;

  int64_t size() const { return rows.size(0); }
  int64_t width() const { return rows.size(1); }

  /// name: of the bank in a file that holds several, empty where it holds one without a name.
  /// Throws Error: NotFound, also where the file holds others, OpenRead with the reason, both
  /// naming the file. Refuses NaN, infinity, rows without neighbours and every size that the file
  /// doesn't hold. Error(Cancelled).
  static MemoryBank load(const std::filesystem::path& path, const std::string& name = {},
                         const Monitor& monitor = {});

  /// Loads a bank, or hands out the one that the process already has of the same unchanged file,
  /// whose `origin` may be another name of it. Throws what load() does.
  static std::shared_ptr<const MemoryBank> get(const std::filesystem::path& path,
                                               const std::string& name = {},
                                               const Monitor& monitor = {});

  /// 16 hex digits of a SHA-256 over all that decides a score: rows, positions, settings and
  /// weights_id. The
  /// same content has the same, in whatever file or process; docs/bank-format.md says of which
  /// bytes. Takes some 3 ms a MB. Throws Error(Cancelled).
  std::string identify(const Monitor& monitor = {}) const;

  /// Atomic; see add_banks(): with a name it joins, or replaces the one so called among, the banks
  /// that the file holds.
  void save(const std::filesystem::path& path, const std::string& name = {},
            const Monitor& monitor = {}) const;
};

}  // namespace patchcore
