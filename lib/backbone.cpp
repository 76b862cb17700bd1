// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backbone.hpp"

#include <algorithm>
#include <filesystem>

#include "error.hpp"
#include "file_identity.hpp"
#include "filter_bank.hpp"
#include "resnet.hpp"
#include "weak_cache.hpp"
#include "weights.hpp"

namespace patchcore {
namespace {

constexpr const char* kBuiltin = "builtin";

std::vector<FeatureLayer> all_layers(const std::string& network) {
  return network == kBuiltin ? FilterBank::all_layers() : ResNet::all_layers(network);
}

std::vector<std::string> usual_layers(const std::string& network) {
  if (network == kBuiltin) return {"fine", "coarse"};
  return {"layer2", "layer3"};
}

/// Finest first is what a patch's grid is taken from; each once, since a copy only weighs double.
std::vector<FeatureLayer> chosen_layers(const BackboneOptions& options) {
  const auto all = all_layers(options.name);
  std::string known;
  for (const auto& layer : all) known += (known.empty() ? "" : ", ") + layer.name;
  const auto names = options.layers.empty() ? usual_layers(options.name) : options.layers;
  std::vector<FeatureLayer> chosen;
  for (const auto& name : names) {
    const auto layer = std::find_if(all.begin(), all.end(),
                                    [&](const FeatureLayer& known) { return known.name == name; });
    if (layer == all.end())
      throw Error(ErrorCode::InvalidArgument, "\"" + name + "\" is not a layer of " + options.name +
                                                  "; there are " + known + ".");
    if (!chosen.empty() && layer->stride <= chosen.back().stride)
      throw Error(ErrorCode::InvalidArgument,
                  "The layer \"" + name + "\" can't come behind \"" + chosen.back().name +
                      "\": those of " + options.name +
                      " are named once each, in this order: " + known + ".");
    chosen.push_back(*layer);
  }
  return chosen;
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

/// The file that was named, else the one that was fetched; absolute, since a bank keeps the path
/// and may be used from another folder.
std::string weights_of(const BackboneOptions& options) {
  if (options.name == kBuiltin) return "";
  const bool named = !options.weights.empty();
  const std::string path = named ? std::filesystem::absolute(options.weights).string()
                                 : cached_weights(options.name).string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found && named)
    throw Error(ErrorCode::NotFound, "There is no weights file \"" + path + "\".");
  if (path.empty() || status.type() == std::filesystem::file_type::not_found)
    throw Error(ErrorCode::NotFound,
                "The backbone " + options.name + " needs weights, and no file was named. " +
                    "Name one, or run: patchcore weights fetch " + options.name);
  if (!std::filesystem::is_regular_file(status))  // a FIFO would be waited for
    throw Error(ErrorCode::OpenRead, "\"" + path + "\" is not a file of weights.");
  return path;
}

std::shared_ptr<const Backbone> make(const BackboneOptions& options,
                                     const std::vector<FeatureLayer>& layers, c10::Device device) {
  if (options.name == kBuiltin) return std::make_shared<FilterBank>(options, layers, device);
  return std::make_shared<ResNet>(options, layers, device, digest_of(options.weights));
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
  static auto& cache = *new WeakCache<std::string, Backbone>;

  check_name(requested);
  const auto layers = chosen_layers(requested);
  BackboneOptions options = requested;
  options.weights = weights_of(requested);
  // Told by name, the usual layers are the same network.
  options.layers.clear();
  for (const auto& layer : layers) options.layers.push_back(layer.name);
  // builtin has no other.
  if (options.name == kBuiltin || options.precision == Precision::Auto)
    options.precision = Precision::Fp32;
  const c10::Device device = parse_device(options.device);
  options.device = device.str();
  return cache.get(cache_key(options, device), [&] { return make(options, layers, device); });
}

const std::vector<std::string>& backbone_names() {
  static const auto& names = *[] {
    auto* all = new std::vector<std::string>{kBuiltin};
    for (const auto& name : ResNet::names()) all->push_back(name);
    return all;
  }();
  return names;
}

}  // namespace patchcore
