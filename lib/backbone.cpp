// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backbone.hpp"

#include <glib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "error.hpp"
#include "filter_bank.hpp"
#include "resnet.hpp"

namespace patchcore {
namespace {

constexpr const char* kBuiltin = "builtin";

std::string sha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::unique_ptr<GChecksum, void (*)(GChecksum*)> sum(g_checksum_new(G_CHECKSUM_SHA256),
                                                       g_checksum_free);
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0)
    g_checksum_update(sum.get(), reinterpret_cast<const guchar*>(block.data()), file.gcount());
  return g_checksum_get_string(sum.get());
}

void check_name(const BackboneOptions& options) {
  std::string known;
  for (const auto& name : backbone_names()) {
    if (name == options.name) return;
    known += (known.empty() ? "" : ", ") + name;
  }
  throw Error(ErrorCode::InvalidArgument,
              "\"" + options.name + "\" is not a backbone; there are " + known + ".");
}

void check_weights(const BackboneOptions& options) {
  if (options.name == kBuiltin) return;
  if (options.weights.empty())
    throw Error(ErrorCode::NotFound,
                "The backbone " + options.name + " needs a file with its weights; none was named.");
  std::error_code error;
  const auto status = std::filesystem::status(options.weights, error);
  if (status.type() == std::filesystem::file_type::not_found)
    throw Error(ErrorCode::NotFound, "There is no weights file \"" + options.weights + "\".");
  if (!std::filesystem::is_regular_file(status))  // a FIFO would be waited for
    throw Error(ErrorCode::OpenRead, "\"" + options.weights + "\" is not a file of weights.");
}

std::shared_ptr<const Backbone> make(const BackboneOptions& options, c10::Device device) {
  if (options.name == kBuiltin) return std::make_shared<FilterBank>(options, device);
  return std::make_shared<ResNet>(options, device, sha256(options.weights));
}

/// What tells two files apart without reading them: a file replaced under its name is another.
std::string file_identity(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(path, error);
  struct stat now {};
  ::stat(path.c_str(), &now);
  std::string identity = canonical.string();
  // The change time too: archives and copies set the other one.
  for (const timespec& time : {now.st_mtim, now.st_ctim})
    identity += "\n" + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
  return identity + "\n" + std::to_string(now.st_ino);
}

std::string cache_key(const BackboneOptions& options, c10::Device device) {
  std::string key = options.name + "\n" + nick(options.precision) + "\n" + device.str();
  for (const auto& layer : options.layers) key += "\n" + layer;
  return options.weights.empty() ? key : key + "\n\n" + file_identity(options.weights);
}

}  // namespace

Backbone::Backbone(BackboneOptions options, std::vector<FeatureLayer> layers, c10::Device device,
                   std::string weights_id)
    : options_(std::move(options)),
      layers_(std::move(layers)),
      device_(device),
      weights_id_(std::move(weights_id)) {}

std::shared_ptr<const Backbone> Backbone::get(const BackboneOptions& requested) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const Backbone>> made;

  check_name(requested);
  check_weights(requested);
  BackboneOptions options = requested;
  if (options.name == kBuiltin) {
    options.weights.clear();
    options.precision = Precision::Fp32;  // it has no other
  } else {
    // A bank keeps the path, and may be used from another folder.
    options.weights = std::filesystem::absolute(options.weights).string();
  }
  if (options.precision == Precision::Auto) options.precision = Precision::Fp32;
  const c10::Device device = parse_device(options.device);
  options.device = device.str();

  // Held while loading: two elements that start together must end up with one network.
  std::lock_guard lock(mutex);
  auto& slot = made[cache_key(options, device)];
  if (auto known = slot.lock()) return known;
  auto backbone = make(options, device);
  slot = backbone;
  return backbone;
}

const std::vector<std::string>& backbone_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all{kBuiltin};
    for (const auto& name : ResNet::names()) all.push_back(name);
    return all;
  }();
  return names;
}

}  // namespace patchcore
