// SPDX-License-Identifier: LGPL-2.1-or-later
#include "anomalib.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "backbone.hpp"
#include "error.hpp"
#include "preprocess.hpp"

namespace patchcore::cli {
namespace {

constexpr std::string_view kNetwork = "model.feature_extractor.feature_extractor.";

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::OpenRead, why); }

const PickleValue& entry(const PickleValue& dict, const char* key) {
  const PickleValue* value = dict.find(key);
  if (!value) refuse(std::string(key) + " is missing");
  return *value;
}

template <typename T>
const T& plain(const PickleValue& dict, const char* key) {
  const T* value = entry(dict, key).as<T>();
  if (!value) refuse(std::string(key) + " has another type");
  return *value;
}

/// A number, or as many as a list has.
std::vector<double> numbers(const PickleValue& dict, const char* key) {
  const PickleValue& value = entry(dict, key);
  std::vector<double> all;
  const auto add = [&](const PickleValue& one) {
    if (const auto* whole = one.as<int64_t>())
      all.push_back(static_cast<double>(*whole));
    else if (const auto* real = one.as<double>())
      all.push_back(*real);
    else
      refuse(std::string(key) + " has another type");
  };
  if (value.items.empty()) add(value);
  for (const PickleValue* item : value.items) add(*item);
  return all;
}

int side(double number) {
  if (!(number >= 1 && number <= 1 << 16)) refuse("a picture's size is none");
  return static_cast<int>(number);
}

bool is(const PickleValue& dict, const char* key, bool expected) {
  return plain<bool>(dict, key) == expected;
}

/// The pictures' way through torchvision's transforms, as a bank has it.
class Transforms {
 public:
  explicit Transforms(const PickleValue& config) {
    add(entry(config, "transform"));
    if (!resized_) refuse("pictures are not resized");
    if (!normalized_) refuse("pictures are not normalized");
    // torchvision keeps any length of the longer side, a bank rounds it to the network's stride.
    if (resize_.height == 0 && crop_ == 0) refuse("only the shorter side has a size");
  }

  void into(Settings& settings) const {
    settings.resize = resize_;
    settings.crop = crop_;
  }

 private:
  void add(const PickleValue& transform) {
    const std::string path = plain<std::string>(transform, "class_path");
    const std::string name = path.substr(path.rfind('.') + 1);
    const PickleValue& arguments = entry(transform, "init_args");
    if (name == "Compose")
      compose(entry(arguments, "transforms"));
    else if (name == "Resize" && !resized_ && crop_ == 0)
      resize(arguments);
    else if (name == "CenterCrop" && resized_ && crop_ == 0)
      crop(arguments);
    else if (name == "Normalize" && !normalized_)
      normalize(arguments);
    else
      refuse("pictures go through " + path);
  }

  void compose(const PickleValue& transforms) {
    if (++depth_ > 4) refuse("its transforms are nested too deeply");
    for (const PickleValue* transform : transforms.items) add(*transform);
  }

  /// A size is height and width, or the shorter side.
  void resize(const PickleValue& arguments) {
    if (plain<std::string>(arguments, "interpolation") != "bilinear" ||
        !is(arguments, "antialias", true))
      refuse("pictures are not resized by antialiased bilinear interpolation");
    if (!entry(arguments, "max_size").as<std::monostate>()) refuse("the longer side has a limit");
    const auto size = numbers(arguments, "size");
    if (size.size() > 2) refuse("a picture's size is none");
    resize_ = {side(size.back()), size.size() == 2 ? side(size.front()) : 0};
    resized_ = true;
  }

  void crop(const PickleValue& arguments) {
    const auto size = numbers(arguments, "size");
    if (size.size() > 2 || size.front() != size.back()) refuse("the crop is not a square");
    crop_ = side(size.front());
  }

  void normalize(const PickleValue& arguments) {
    const auto equal = [](const std::vector<double>& ours, const at::Tensor& imagenet) {
      constexpr double kTolerance = 1e-6;
      return ours.size() == 3 &&
             at::allclose(at::tensor(ours), imagenet.to(at::kDouble), 0, kTolerance);
    };
    if (!equal(numbers(arguments, "mean"), Preprocess::mean()) ||
        !equal(numbers(arguments, "std"), Preprocess::deviation()))
      refuse("pictures are normalized to other colours than ImageNet's");
    normalized_ = true;
  }

  ResizeTarget resize_;
  int crop_ = 0;
  int depth_ = 0;
  bool resized_ = false, normalized_ = false;
};

/// What anomalib's PostProcessor knows of one kind of score: of images, or of the map's pixels.
struct ScoreRange {
  double threshold, least, most, sensitivity;

  /// The raw value above which anomalib calls something anomalous. It moves the line on its own
  /// scale, (s - threshold) / (most - least) + 0.5, to 1 - sensitivity.
  double line() const { return threshold + (0.5 - sensitivity) * width(); }

  /// Zero where it isn't known.
  double width() const { return most > least ? most - least : 0; }

  /// Where the median must lie for our scale to be as steep at the threshold as anomalib's is.
  double median() const { return line() - width() / 2; }
};

double scalar(const NamedTensors& state, const std::string& name) {
  const auto found = state.find("post_processor." + name);
  if (found == state.end() || found->second.numel() != 1) return std::nan("");
  return found->second.to(at::kDouble).item<double>();
}

/// Of the line that both sides agree on: anomalib's > is our >=.
double just_above(double line) {
  return std::nextafter(static_cast<float>(line), std::numeric_limits<float>::infinity());
}

Calibration calibration_of(const NamedTensors& state, const PickleValue& config) {
  Calibration calibration;
  if (!plain<bool>(config, "enable_thresholding")) return calibration;
  ScoreRange image{scalar(state, "_image_threshold"), scalar(state, "image_min"),
                   scalar(state, "image_max"), numbers(config, "image_sensitivity").front()};
  ScoreRange pixel{scalar(state, "_pixel_threshold"), scalar(state, "pixel_min"),
                   scalar(state, "pixel_max"), numbers(config, "pixel_sensitivity").front()};
  if (plain<bool>(config, "enable_threshold_matching")) {
    // Without masks there is no pixel threshold: each stands in for the other.
    if (std::isnan(image.threshold)) image.threshold = pixel.threshold;
    if (std::isnan(pixel.threshold)) pixel.threshold = image.threshold;
  }
  if (!std::isfinite(image.line()) || !std::isfinite(pixel.line())) return calibration;
  calibration.threshold = just_above(image.line());
  calibration.pixel_threshold = just_above(pixel.line());
  calibration.median = image.median();
  calibration.pixel_median = pixel.median();
  calibration.method = "anomalib's, imported";
  return calibration;
}

Settings settings_of(const PickleValue& parameters) {
  Settings settings = Settings::from_preset(Preset::Anomalib);
  settings.resize_values = ResizeValues::Floats;
  // timm's names may end in a tag that tells how the weights were made.
  const auto& backbone = plain<std::string>(parameters, "backbone");
  settings.backbone = backbone.substr(0, backbone.find('.'));
  const auto& known = backbone_names();
  if (settings.backbone == BackboneOptions().name || runs_its_file(settings.backbone) ||
      std::find(known.begin(), known.end(), settings.backbone) == known.end())
    refuse("its network, " + backbone + ", isn't known here");
  for (const PickleValue* layer : entry(parameters, "layers").items) {
    if (!layer->as<std::string>()) refuse("layers has another type");
    settings.layers.push_back(*layer->as<std::string>());
  }
  if (settings.layers.empty()) refuse("it has no layers");
  const int64_t neighbours = plain<int64_t>(parameters, "num_neighbors");
  if (neighbours < 1 || neighbours > 1024) refuse("num_neighbors is out of its range");
  settings.neighbours = static_cast<int>(neighbours);
  // With one neighbour there is nothing to weigh against.
  if (neighbours == 1) settings.image_scoring = ImageScoring::Maximum;
  return settings;
}

at::Tensor rows_of(const NamedTensors& state) {
  const auto found = state.find("model.memory_bank");
  if (found == state.end()) refuse("it holds no memory bank of a PatchCore");
  const at::Tensor& bank = found->second;
  if (!bank.is_floating_point() || bank.dim() != 2 || bank.numel() == 0)
    refuse("its memory bank is not a K x D matrix of floats");
  const at::Tensor rows = bank.to(at::kFloat).contiguous();
  if (!rows.isfinite().all().item<bool>()) refuse("its memory bank has NaN or infinity");
  return rows;
}

AnomalibCheckpoint read_checkpoint(const TorchFile& file) {
  if (!file.root().find("state_dict"))
    refuse(
        "it is no checkpoint. An exported model holds code; what it was exported from is a "
        ".ckpt, in anomalib's folder weights/lightning");
  const NamedTensors state = file.state_dict();
  AnomalibCheckpoint checkpoint;
  checkpoint.rows = rows_of(state);
  checkpoint.settings = settings_of(entry(file.root(), "hyper_parameters"));
  Transforms(entry(file.root(), "anomalib_pre_processor_config")).into(checkpoint.settings);
  checkpoint.calibration =
      calibration_of(state, entry(file.root(), "anomalib_post_processor_config"));
  for (const auto& [name, tensor] : state)
    if (name.starts_with(kNetwork)) checkpoint.weights[name.substr(kNetwork.size())] = tensor;
  return checkpoint;
}

}  // namespace

AnomalibCheckpoint AnomalibCheckpoint::read(const std::filesystem::path& path) {
  const TorchFile file(path, TorchFile::Unknown::Ignore);
  try {
    return read_checkpoint(file);
  } catch (const Error& error) {
    throw Error(error.code(), "\"" + path.string() + "\" can't be imported: " + error.what() + ".");
  }
}

}  // namespace patchcore::cli
