// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <cstddef>
#include <memory>
#include <string>

namespace patchcore {

/// A running SHA-256.
class Sha256 {
 public:
  Sha256();

  void update(const void* data, size_t bytes);

  /// 64 digits of what came so far. Ends it: nothing may follow.
  std::string hex();

 private:
  std::unique_ptr<GChecksum, void (*)(GChecksum*)> sum_;
};

}  // namespace patchcore
