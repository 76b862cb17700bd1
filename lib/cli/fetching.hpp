// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "monitor.hpp"
#include "weights.hpp"

namespace patchcore::cli {

/// Gets published weights from `mirror`, an address that their files lie below, checks that they
/// are what was published, and only then makes safetensors of them at `place`. What has come of a
/// file lies beside it, until all is done. Throws Error: what download() and convert_weights()
/// throw; OpenRead where the file is another, which is deleted.
void fetch_weights(const PublishedWeights& weights, const std::string& mirror,
                   const std::filesystem::path& place, const Monitor& monitor);

}  // namespace patchcore::cli
