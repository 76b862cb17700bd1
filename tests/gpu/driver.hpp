// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>

/// Of the emulated driver.
struct EmulatedDriverCounts {
  size_t uploaded = 0, downloaded = 0;  ///< bytes
  size_t allocations = 0;               ///< that were not freed
};
extern "C" EmulatedDriverCounts emulated_driver_counts();

/// What it refuses from now on.
enum class EmulatedFailure { None, Allocation, Wait };
extern "C" void emulated_driver_fail(EmulatedFailure failure);
