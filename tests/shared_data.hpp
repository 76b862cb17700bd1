// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdlib>
#include <filesystem>

/// The folder of golden vectors, weights and pictures beside a development checkout. Not part of
/// the project: programs that need it skip where it is absent.
inline std::filesystem::path shared_data() {
  const char* folder = std::getenv("PATCHCORE_SHARED");
  return folder ? folder : "";
}

inline bool has_shared(const char* name) {
  return !shared_data().empty() && std::filesystem::exists(shared_data() / name);
}
