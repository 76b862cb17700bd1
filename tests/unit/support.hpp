// SPDX-License-Identifier: LGPL-2.1-or-later
// What the unit tests share: a folder, numbers, and the check of an error.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "../check_main.hpp"
#include "../files.hpp"
#include "error.hpp"

/// Fails the test unless `work` throws an Error of this code whose message names all `parts`.
template <typename Work>
void assert_refused(patchcore::ErrorCode code, const std::vector<std::string>& parts,
                    const std::string& what, Work&& work) {
  try {
    work();
  } catch (const patchcore::Error& error) {
    const std::string message = error.what();
    ck_assert_msg(error.code() == code, "%s: another kind of error, %s", what.c_str(),
                  message.c_str());
    for (const auto& part : parts)
      ck_assert_msg(message.find(part) != std::string::npos, "%s: \"%s\" doesn't name %s",
                    what.c_str(), message.c_str(), part.c_str());
    return;
  } catch (const std::exception& error) {
    ck_abort_msg("%s: another exception, %s", what.c_str(), error.what());
  }
  ck_abort_msg("%s: accepted", what.c_str());
}

/// A file's SHA-256 in hex, by coreutils.
inline std::string sha256_of(const std::filesystem::path& path) {
  const std::string command = "sha256sum '" + path.string() + "'";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string printed(64, '\0');
  ck_assert_uint_eq(std::fread(printed.data(), 1, 64, pipe), 64);
  ::pclose(pipe);
  return printed;
}

/// Numbers that are uniform in [-1, 1) and the same everywhere; make_fixtures.py has them too.
inline at::Tensor noise(const std::string& name, std::vector<int64_t> shape) {
  uint32_t seed = 2166136261u;  // FNV-1a of the name, then MurmurHash3's finaliser of the index
  for (const unsigned char byte : name) seed = (seed ^ byte) * 16777619u;
  at::Tensor values = at::empty(shape, at::kDouble);
  double* out = values.data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    uint32_t h = seed + static_cast<uint32_t>(i) * 0x9E3779B9u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    out[i] = static_cast<double>(h ^ h >> 16) / 0x1p31 - 1;
  }
  return values;
}

inline at::Tensor float_noise(const std::string& name, std::vector<int64_t> shape) {
  return noise(name, std::move(shape)).to(at::kFloat);
}

/// Largest |ours - expected| as a share of the largest |expected|.
inline double relative_error(const at::Tensor& ours, const at::Tensor& expected) {
  const at::Tensor e = expected.to(at::kDouble);
  return ((ours.to(at::kDouble) - e).abs().max() / e.abs().max()).item<double>();
}
