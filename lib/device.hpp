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

/// "auto", "fp32", "bf16", "fp16"; throws Error(InvalidArgument).
Precision parse_precision(std::string_view text);
const char* nick(Precision precision);

}  // namespace patchcore
