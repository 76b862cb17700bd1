// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "monitor.hpp"

namespace patchcore {

/// A file of weights that torchvision publishes. Its name ends in the first eight hex digits of its
/// SHA-256.
struct PublishedWeights {
  const char* network;  ///< of backbone_names()
  const char* file;     ///< below kWeightsAddress
};

constexpr const char* kWeightsAddress = "https://download.pytorch.org/models/";

/// IMAGENET1K_V1 of each network that has weights.
std::span<const PublishedWeights> published_weights();

/// Throws Error(InvalidArgument) that names those that there are.
const PublishedWeights& published_weights(const std::string& network);

/// The eight digits in the file's name.
std::string expected_digest(const PublishedWeights& weights);

/// $XDG_CACHE_HOME/patchcore, or ~/.cache/patchcore; may not be there. Empty where neither variable
/// is an absolute path.
std::filesystem::path cache_folder();

/// Where fetched weights of a network lie, whether they are there or not; empty without a cache
/// folder.
std::filesystem::path cached_weights(const std::string& network);

/// Makes safetensors of a file as torch.save() writes it: a dict of tensors, or one under
/// "state_dict". Names, types and values stay as they are. Throws Error: NotFound, OpenRead (no
/// such file, NaN or infinity, or it asks for more than tensors), Write, NoSpace, Cancelled.
void convert_weights(const std::filesystem::path& from, const std::filesystem::path& to,
                     const Monitor& monitor = {});

/// SHA-256 of a file in hex. Throws Error(OpenRead).
std::string digest_of(const std::filesystem::path& file, const Monitor& monitor = {});

}  // namespace patchcore
