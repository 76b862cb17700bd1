// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <stdexcept>
#include <string>

namespace patchcore {

/// What went wrong, in the terms a caller acts on. The C API passes it on as PatchcoreError.
enum class ErrorCode {
  InvalidArgument,  ///< a setting or an argument makes no sense
  NotFound,         ///< a file that was named does not exist
  OpenRead,         ///< a file exists and can't be read, or isn't what it should be
  Incompatible,     ///< two things don't fit together: a bank and another backbone's weights
  Init,             ///< LibTorch or a device can't be used
  Write,            ///< a file can't be written
  NoSpace,          ///< the disk is full
  Failed,           ///< the computation itself failed
  Cancelled,        ///< the caller asked to stop
};

/// The one way an error leaves this library's C++ code. The message is a whole sentence for a
/// person and names the file, where there is one.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Of LibTorch's messages, which go on for lines about where in its code they arose.
inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace patchcore
