// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <c10/core/Device.h>

#include <string_view>

namespace patchcore {

/// Arithmetic of the backbone; embeddings, distances and scores are always fp32 or better.
enum class Precision { Auto, Fp32, Bf16, Fp16 };

/// "auto", "cpu", "cuda" or "cuda:N". auto is the first GPU where LibTorch can use one, else the
/// CPU. Throws Error(InvalidArgument) on other text and Error(Init) on a device that isn't there.
c10::Device parse_device(std::string_view text);

/// What Auto is for a network of convolutions: bf16 where the device has instructions for it, which
/// are twice as fast and more, else fp32. On a CPU these are AVX512-BF16, AMX, or Arm's; a GPU has
/// them from compute capability 8.0 on. Never fp16: its range ends at 65504, which nothing promises
/// for the features of somebody's weights.
Precision fastest_precision(c10::Device device);

/// "auto", "fp32", "bf16", "fp16"; throws Error(InvalidArgument).
Precision parse_precision(std::string_view text);
const char* nick(Precision precision);

}  // namespace patchcore
