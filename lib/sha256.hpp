// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <string>

namespace patchcore {

/// A running SHA-256. OpenSSL's: weights of hundreds of megabytes are hashed before they are used,
/// which takes GLib's plain C ten times as long where a processor has instructions for it. Throws
/// Error(Failed).
class Sha256 {
 public:
  Sha256();

  void update(const void* data, size_t bytes);

  /// 64 digits of what came so far. Ends it: nothing may follow.
  std::string hex();

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> sum_;
};

}  // namespace patchcore
