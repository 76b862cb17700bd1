// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights_file.hpp"

namespace patchcore {
namespace {

std::variant<SafetensorsReader, NamedTensors> open(const std::filesystem::path& path) {
  if (TorchFile::is_one(path)) return TorchFile(path).state_dict();
  return SafetensorsReader(path);
}

}  // namespace

WeightsFile::WeightsFile(const std::filesystem::path& path)
    : name_(path.string()), content_(open(path)) {}

WeightsFile::WeightsFile(const std::string& name, std::string_view bytes)
    : name_(name), content_(SafetensorsReader(name, bytes)) {}

bool WeightsFile::contains(const std::string& name) const {
  return std::visit([&](const auto& content) { return content.contains(name); }, content_);
}

at::Tensor WeightsFile::tensor(const std::string& name) {
  if (auto* reader = std::get_if<SafetensorsReader>(&content_)) return reader->tensor(name);
  return std::get<NamedTensors>(content_).at(name);
}

}  // namespace patchcore
