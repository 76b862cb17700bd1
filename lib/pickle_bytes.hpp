// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace patchcore {

/// Error(OpenRead) that says why bytes are no pickle that is read.
[[noreturn]] void refuse_pickle(const std::string& why);

/// A pickle's bytes, front to back, never beyond their end; throws by refuse_pickle().
class PickleBytes {
 public:
  explicit PickleBytes(std::span<const char> bytes) : bytes_(bytes) {}

  size_t position() const { return at_; }

  std::string take(uint64_t count);

  /// To the end of a line, without it.
  std::string line();

  /// UTF-8 without a zero byte.
  std::string text(uint64_t count);

  template <typename T>
  T number() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  double big_endian_double();

 private:
  std::span<const char> bytes_;
  size_t at_ = 0;
};

}  // namespace patchcore
