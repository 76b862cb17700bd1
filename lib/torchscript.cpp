// SPDX-License-Identifier: LGPL-2.1-or-later
#include "torchscript.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "convolution.hpp"
#include "error.hpp"
#include "preprocess.hpp"

namespace patchcore {
namespace {

using nlohmann::json;

constexpr int kMaxChannels = 65536, kMaxStride = 256, kMaxSide = 8192;
constexpr size_t kMaxLayers = 64, kMaxDescription = 1 << 16;

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw Error(ErrorCode::OpenRead, "\"" + file + "\" " + why + ".");
}

/// Reads a description's entries; each refusal names the file.
class DescriptionReader {
 public:
  explicit DescriptionReader(std::string file) : file_(std::move(file)) {
    std::error_code error;
    if (!std::filesystem::exists(file_, error))
      throw Error(ErrorCode::NotFound, "There is no \"" + file_ +
                                           "\", which says what the TorchScript file beside it "
                                           "takes and returns.");
    if (!std::filesystem::is_regular_file(file_, error)) refuse(file_, "is not a file");
    std::string text(kMaxDescription, '\0');
    std::ifstream stream(file_, std::ios::binary);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(stream.gcount()));
    if (text.size() == kMaxDescription) refuse(file_, "is too long for a description");
    json_ = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json_.is_object()) refuse(file_, "is not a JSON object");
  }

  std::vector<double> three(const char* key, const at::Tensor& usual, bool positive) const {
    std::vector<double> values;
    if (!json_.contains(key)) {
      for (int i = 0; i < 3; ++i) values.push_back(usual[i].item<double>());
      return values;
    }
    const json& entry = json_[key];
    const auto bad = [&](const json& v) {
      return !v.is_number() || !std::isfinite(v.get<double>()) ||
             (positive && v.get<double>() <= 0);
    };
    if (!entry.is_array() || entry.size() != 3 || std::any_of(entry.begin(), entry.end(), bad))
      refuse(file_, std::string("has no three ") + (positive ? "positive " : "") +
                        "numbers for \"" + key + "\"");
    return entry.get<std::vector<double>>();
  }

  std::vector<FeatureLayer> layers() const {
    const auto entry = json_.find("layers");
    if (entry == json_.end() || !entry->is_array() || entry->empty() || entry->size() > kMaxLayers)
      refuse(file_, "has no list \"layers\"");
    std::vector<FeatureLayer> layers;
    for (const json& layer : *entry) {
      const auto name = layer.is_object() ? layer.find("name") : layer.end();
      if (!layer.is_object() || name == layer.end() || !name->is_string() || !usable(*name))
        refuse(file_, "has a layer without a \"name\"");
      layers.push_back(
          {*name, whole(layer, "channels", kMaxChannels), whole(layer, "stride", kMaxStride)});
      if (layers.size() > 1 && layers.back().stride < layers[layers.size() - 2].stride)
        refuse(file_, "doesn't list the finest layer first");
      for (size_t i = 0; i + 1 < layers.size(); ++i)
        if (layers[i].name == layers.back().name)
          refuse(file_, "has two layers named \"" + layers[i].name + "\"");
    }
    return layers;
  }

  std::optional<Size> size() const {
    const auto entry = json_.find("size");
    if (entry == json_.end()) return std::nullopt;
    const auto bad = [](const json& v) {
      return !v.is_number_unsigned() || v.get<uint64_t>() < 1 || v.get<uint64_t>() > kMaxSide;
    };
    if (!entry->is_array() || entry->size() != 2 || std::any_of(entry->begin(), entry->end(), bad))
      refuse(file_,
             "has no width and height of 1 to " + std::to_string(kMaxSide) + " for \"size\"");
    return Size{(*entry)[0].get<int>(), (*entry)[1].get<int>()};
  }

 private:
  /// Banks and command lines join names with commas.
  static bool usable(const std::string& name) {
    return !name.empty() && name.size() < 256 && name.find(',') == std::string::npos;
  }

  int whole(const json& layer, const char* key, int most) const {
    const auto entry = layer.find(key);
    if (entry == layer.end() || !entry->is_number_unsigned() || entry->get<uint64_t>() < 1 ||
        entry->get<uint64_t>() > static_cast<uint64_t>(most))
      refuse(file_,
             std::string("has a layer without \"") + key + "\" from 1 to " + std::to_string(most));
    return entry->get<int>();
  }

  std::string file_;
  json json_;
};

at::Tensor per_channel(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).reshape({1, 3, 1, 1});
}

/// An interpreter's message tells where in the program it was, and the reason in its last line.
std::string reason_in(const std::string& text) {
  const auto last = text.find_last_not_of('\n');
  if (last == std::string::npos) return "no reason is known";
  const auto start = text.rfind('\n', last);
  return text.substr(start == std::string::npos ? 0 : start + 1, last - start);
}

}  // namespace

TorchScriptDescription TorchScriptDescription::read(const std::string& weights) {
  const DescriptionReader reader(path_for(weights));
  return {reader.three("mean", Preprocess::mean(), false),
          reader.three("std", Preprocess::deviation(), true), reader.layers(), reader.size()};
}

TorchScript::TorchScript(const BackboneOptions& options, std::vector<FeatureLayer> chosen,
                         c10::Device device, std::string weights_id)
    : Backbone(options, std::move(chosen), device, std::move(weights_id)),
      description_(TorchScriptDescription::read(options.weights)),
      type_(scalar_type(options.precision)) {
  // What comes in is (x - m) / d with ImageNet's m and d; wanted is (x - mean) / deviation.
  const at::Tensor deviation = per_channel(description_.deviation);
  const at::Tensor imagenet = Preprocess::deviation().to(at::kDouble).reshape({1, 3, 1, 1});
  const at::Tensor offset = Preprocess::mean().to(at::kDouble).reshape({1, 3, 1, 1});
  scale_ = (imagenet / deviation).to(at::kFloat).to(device);
  shift_ = ((offset - per_channel(description_.mean)) / deviation).to(at::kFloat).to(device);
  try {
    module_ = std::make_unique<torch::jit::Module>(torch::jit::load(options.weights, device));
    module_->eval();
    module_->to(device, type_);
    for (at::Tensor parameter : module_->parameters()) parameter.requires_grad_(false);
  } catch (const std::exception& error) {
    refuse(options.weights,
           "is not a TorchScript file that can be loaded: " + first_line(error.what()));
  }
  check_outputs();
}

TorchScript::~TorchScript() = default;

std::vector<at::Tensor> TorchScript::run(const at::Tensor& input) const {
  const at::Tensor x = (input.to(device()) * scale_ + shift_).to(type_);
  c10::IValue result;
  try {
    result = module_->get_method("forward")({x});
  } catch (const std::exception& error) {
    refuse(options().weights, "can't be run on frames of " + std::to_string(x.size(3)) + "x" +
                                  std::to_string(x.size(2)) + ": " + reason_in(error.what()));
  }
  std::vector<at::Tensor> maps;
  if (result.isTensor()) {
    maps.push_back(result.toTensor());
  } else if (result.isTensorList()) {
    maps = result.toTensorVector();
  } else if (result.isTuple()) {
    for (const auto& element : result.toTupleRef().elements())
      if (element.isTensor()) maps.push_back(element.toTensor());
  }
  return maps;
}

/// Runs a frame of zeros through it, since nothing else says what it returns.
void TorchScript::check_outputs() const {
  const auto& outputs = description_.layers;
  const int side = 4 * outputs.back().stride;
  const Size frame = description_.size.value_or(Size{side, side});
  const auto bad = [&](const std::string& why) { refuse(options().weights, why); };
  const auto maps = run(at::zeros({1, 3, frame.height, frame.width}));
  if (maps.size() != outputs.size())
    bad("returns " + std::to_string(maps.size()) + " tensors, its description lists " +
        std::to_string(outputs.size()) + " layers");
  for (size_t i = 0; i < maps.size(); ++i) {
    const auto cells = [&](int pixels) {
      return (pixels + outputs[i].stride - 1) / outputs[i].stride;
    };
    const at::IntArrayRef sizes = maps[i].sizes();
    if (!maps[i].is_floating_point() || sizes.size() != 4 || sizes[0] != 1 ||
        sizes[1] != outputs[i].channels || sizes[2] != cells(frame.height) ||
        sizes[3] != cells(frame.width))
      bad("doesn't return the layer \"" + outputs[i].name + "\" as its description says");
  }
}

std::vector<at::Tensor> TorchScript::features(const at::Tensor& input) const {
  const auto& outputs = description_.layers;
  const auto& size = description_.size;
  if (size && (input.size(2) != size->height || input.size(3) != size->width))
    throw Error(ErrorCode::InvalidArgument,
                "\"" + options().weights + "\" takes frames of " + std::to_string(size->width) +
                    "x" + std::to_string(size->height) + " only, given are " +
                    std::to_string(input.size(3)) + "x" + std::to_string(input.size(2)) + ".");
  const auto maps = run(input);
  std::vector<at::Tensor> chosen;
  for (size_t i = 0; i < maps.size() && chosen.size() < layers().size(); ++i)
    if (outputs[i].name == layers()[chosen.size()].name)
      chosen.push_back(maps[i].to(at::kFloat).contiguous());
  return chosen;
}

}  // namespace patchcore
