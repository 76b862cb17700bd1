// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backbone.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "builtin_network.hpp"
#include "error.hpp"
#include "file_identity.hpp"
#include "mobilenet.hpp"
#include "resnet.hpp"
#include "torchscript.hpp"
#include "weak_cache.hpp"
#include "weights.hpp"

namespace patchcore {
namespace {

constexpr const char* kBuiltin = "builtin";
constexpr const char* kTorchScript = "torchscript";

/// What there is to know of a network before it is made.
struct Network {
  std::function<std::vector<FeatureLayer>(const BackboneOptions&)> all_layers;
  std::vector<std::string> usual_layers;  ///< empty: all
  std::function<std::shared_ptr<const Backbone>(const BackboneOptions&,
                                                const std::vector<FeatureLayer>&, c10::Device)>
      make;
};

template <typename T>
std::shared_ptr<const Backbone> make_from_file(const BackboneOptions& options,
                                               const std::vector<FeatureLayer>& layers,
                                               c10::Device device) {
  return std::make_shared<T>(options, layers, device, digest_of(options.weights));
}

Network builtin() {
  return {[](const BackboneOptions&) { return BuiltinNetwork::all_layers(); },
          {"fine", "coarse"},
          [](const auto& options, const auto& layers, c10::Device device) {
            return std::make_shared<BuiltinNetwork>(options, layers, device);
          }};
}

Network torchscript() {
  return {[](const BackboneOptions& options) {
            return TorchScriptDescription::read(options.weights).layers;
          },
          {},
          [](const auto& options, const auto& layers, c10::Device device) {
            const std::string description = TorchScriptDescription::path_for(options.weights);
            return std::make_shared<TorchScript>(
                options, layers, device, digest_of(options.weights) + "-" + digest_of(description));
          }};
}

using NamedNetworks = std::vector<std::pair<std::string, Network>>;

const NamedNetworks& networks() {
  static const auto& all = *[] {
    auto* table = new NamedNetworks{{kBuiltin, builtin()}};
    for (const auto& name : ResNet::names())
      table->push_back({name,
                        {[](const BackboneOptions& o) { return ResNet::all_layers(o.name); },
                         {"layer2", "layer3"},
                         make_from_file<ResNet>}});
    table->push_back({"mobilenet_v2",
                      {[](const BackboneOptions&) { return MobileNetV2::all_layers(); },
                       {"features.6", "features.13"},
                       make_from_file<MobileNetV2>}});
    table->push_back({kTorchScript, torchscript()});
    return table;
  }();
  return all;
}

const Network& network(const std::string& name) {
  std::string known;
  for (const auto& [each, network] : networks()) {
    if (each == name) return network;
    known += (known.empty() ? "" : ", ") + each;
  }
  throw Error(ErrorCode::InvalidArgument,
              "\"" + name + "\" is not a backbone; there are " + known + ".");
}

/// A file may be named behind a colon: torchscript:FILE.
BackboneOptions split_name(BackboneOptions options) {
  const std::string start = std::string(kTorchScript) + ":";
  if (options.name.starts_with(start)) {
    if (options.weights.empty()) options.weights = options.name.substr(start.size());
    options.name = kTorchScript;
  }
  return options;
}

/// Finest first is what a patch's grid is taken from; each once, since a copy only weighs double.
std::vector<FeatureLayer> chosen_layers(const BackboneOptions& options) {
  const auto all = network(options.name).all_layers(options);
  std::string known;
  for (const auto& layer : all) known += (known.empty() ? "" : ", ") + layer.name;
  auto names = options.layers.empty() ? network(options.name).usual_layers : options.layers;
  if (names.empty()) return all;
  std::vector<FeatureLayer> chosen;
  auto from = all.begin();
  for (const auto& name : names) {
    const auto layer = std::find_if(all.begin(), all.end(),
                                    [&](const FeatureLayer& known) { return known.name == name; });
    if (layer == all.end())
      throw Error(ErrorCode::InvalidArgument, "\"" + name + "\" is not a layer of " + options.name +
                                                  "; there are " + known + ".");
    if (layer < from)
      throw Error(ErrorCode::InvalidArgument,
                  "The layer \"" + name + "\" can't come behind \"" + chosen.back().name +
                      "\": those of " + options.name +
                      " are named once each, in this order: " + known + ".");
    chosen.push_back(*layer);
    from = layer + 1;
  }
  return chosen;
}

/// The file that was named, else the one that was fetched; absolute, since a bank keeps the path
/// and may be used from another folder.
std::string weights_of(const BackboneOptions& options) {
  if (options.name == kBuiltin) return "";
  const bool named = !options.weights.empty();
  if (!named && runs_its_file(options.name))
    throw Error(ErrorCode::NotFound,
                "The backbone " + options.name +
                    " needs its file named (--weights, weights-location): it is a program, which "
                    "isn't run because a bank says where it was.");
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

/// Somebody's program isn't rounded unless it is asked for: it may hold what another type breaks.
Precision precision_of(const BackboneOptions& options, c10::Device device) {
  if (options.precision != Precision::Auto) return options.precision;
  return options.name == kTorchScript ? Precision::Fp32 : fastest_precision(device);
}

std::string cache_key(const BackboneOptions& options, c10::Device device) {
  std::string key = options.name + "\n" + nick(options.precision) + "\n" + device.str();
  for (const auto& layer : options.layers) key += "\n" + layer;
  if (options.weights.empty()) return key;
  key += "\n\n" + file_identity(options.weights);
  if (options.name == kTorchScript)
    key += "\n" + file_identity(TorchScriptDescription::path_for(options.weights));
  return key;
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

  BackboneOptions options = split_name(requested);
  const Network& chosen = network(options.name);
  options.weights = weights_of(options);
  const auto layers = chosen_layers(options);
  // Told by name, the usual layers are the same network.
  options.layers.clear();
  for (const auto& layer : layers) options.layers.push_back(layer.name);
  const c10::Device device = parse_device(options.device);
  options.device = device.str();
  options.precision = precision_of(options, device);
  return cache.get(cache_key(options, device),
                   [&] { return chosen.make(options, layers, device); });
}

const std::vector<std::string>& backbone_names() {
  static const auto& names = *[] {
    auto* all = new std::vector<std::string>;
    for (const auto& [name, network] : networks()) all->push_back(name);
    return all;
  }();
  return names;
}

}  // namespace patchcore
