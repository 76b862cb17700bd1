// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sha256.hpp"

namespace patchcore {

Sha256::Sha256() : sum_(g_checksum_new(G_CHECKSUM_SHA256), g_checksum_free) {}

void Sha256::update(const void* data, size_t bytes) {
  g_checksum_update(sum_.get(), static_cast<const guchar*>(data), static_cast<gssize>(bytes));
}

std::string Sha256::hex() { return g_checksum_get_string(sum_.get()); }

}  // namespace patchcore
