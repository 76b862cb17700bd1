// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "error.hpp"
#include "safetensors.hpp"
#include "sha256.hpp"
#include "torch_file.hpp"

namespace patchcore {
namespace {

constexpr std::array<PublishedWeights, 4> kPublished{{
    {"resnet18", "resnet18-f37072fd.pth"},
    {"resnet50", "resnet50-0676ba61.pth"},
    {"wide_resnet50_2", "wide_resnet50_2-95faca4d.pth"},
    {"mobilenet_v2", "mobilenet_v2-b0353104.pth"},
}};

}  // namespace

std::span<const PublishedWeights> published_weights() { return kPublished; }

const PublishedWeights& published_weights(const std::string& network) {
  std::string known;
  for (const auto& weights : kPublished) {
    if (network == weights.network) return weights;
    known += (known.empty() ? "" : ", ") + std::string(weights.network);
  }
  throw Error(ErrorCode::InvalidArgument, "No weights are published for \"" + network +
                                              "\"; there are those of " + known + ".");
}

std::string expected_digest(const PublishedWeights& weights) {
  const std::string stem = std::filesystem::path(weights.file).stem();
  return stem.substr(stem.rfind('-') + 1);
}

std::filesystem::path cache_folder() {
  for (const auto& [variable, below] : std::initializer_list<std::pair<const char*, const char*>>{
           {"XDG_CACHE_HOME", "patchcore"}, {"HOME", ".cache/patchcore"}}) {
    const char* value = std::getenv(variable);
    if (value && std::filesystem::path(value).is_absolute())
      return std::filesystem::path(value) / below;
  }
  return {};
}

std::filesystem::path cached_weights(const std::string& network) {
  const auto folder = cache_folder();
  return folder.empty() ? folder : folder / "weights" / (network + ".safetensors");
}

void convert_weights(const std::filesystem::path& from, const std::filesystem::path& to,
                     const Monitor& monitor) {
  const NamedTensors tensors = TorchFile(from).state_dict();
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::OpenRead, "\"" + from.string() + "\" " + why);
  };
  for (const auto& [name, tensor] : tensors) {
    monitor.check();
    if (name == "__metadata__") refuse("has a tensor of a name that safetensors keeps for itself.");
    if (!tensor.is_floating_point()) continue;
    if (!tensor.isfinite().all().item<bool>()) refuse("has NaN or infinity in " + name + ".");
  }
  write_safetensors(to, {{"source", from.filename()}, {"source_sha256", digest_of(from, monitor)}},
                    tensors, monitor);
}

std::string digest_of(const std::filesystem::path& path, const Monitor& monitor) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::OpenRead, "\"" + path.string() + "\" can't be opened.");
  Sha256 sum;
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    monitor.check();
    sum.update(block.data(), static_cast<size_t>(file.gcount()));
  }
  return sum.hex();
}

}  // namespace patchcore
