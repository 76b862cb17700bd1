// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sha256.hpp"

#include <array>

#include "error.hpp"

namespace patchcore {
namespace {

void check(int succeeded) {
  if (succeeded != 1) throw Error(ErrorCode::Failed, "OpenSSL can't make a SHA-256.");
}

}  // namespace

Sha256::Sha256() : sum_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  check(sum_ && EVP_DigestInit_ex(sum_.get(), EVP_sha256(), nullptr));
}

void Sha256::update(const void* data, size_t bytes) {
  check(EVP_DigestUpdate(sum_.get(), data, bytes));
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int bytes = 0;
  check(EVP_DigestFinal_ex(sum_.get(), digest.data(), &bytes));
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < bytes; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace patchcore
