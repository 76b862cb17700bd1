// SPDX-License-Identifier: LGPL-2.1-or-later
#include "memory_bank.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "blocks.hpp"
#include "device.hpp"
#include "file_identity.hpp"
#include "safetensors.hpp"
#include "sha256.hpp"
#include "version.hpp"
#include "weak_cache.hpp"

namespace patchcore {
namespace {

constexpr const char* kFormat = "1";

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::OpenRead, "\"" + path.string() + "\" is not a PatchCore bank: " + why);
}

at::Tensor floats(const std::vector<float>& values) { return at::tensor(values, at::kFloat); }

std::string digits(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.begin(), text.end(), value).ptr};
}

/// Reads a bank piece by piece; each refusal names the file.
class Loader {
 public:
  Loader(const std::filesystem::path& path, const Monitor& monitor)
      : path_(path), monitor_(monitor), file_(path, monitor) {}

  MemoryBank load() {
    if (text("patchcore_format") != kFormat)
      refuse(path_,
             "its format is \"" + text("patchcore_format") + "\", known is \"" + kFormat + "\".");
    MemoryBank bank;
    bank.settings = settings();
    bank.rows = matrix("bank", at::kFloat);
    bank.neighbours = matrix("neighbours", at::kLong);
    bank.weights_id = text("weights_id");
    bank.weights_location = text("weights_location");
    bank.precision = precision();
    bank.seed = number<uint64_t>("seed");
    bank.frames = number<int64_t>("frames");
    check(bank);
    const bool scores = file_.contains("calibration_scores");
    if (scores || file_.metadata().count("threshold_method"))
      bank.calibration = calibration(scores);
    return bank;
  }

 private:
  const std::string& text(const std::string& key) const {
    auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) refuse(path_, "the entry \"" + key + "\" is missing.");
    return found->second;
  }

  template <typename Number>
  Number number(const std::string& key) const {
    const std::string& value = text(key);
    Number result{};
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size())
      refuse(path_, "the entry \"" + key + "\" is not a number.");
    return result;
  }

  double finite(const std::string& key) const {
    const auto value = number<double>(key);
    if (!std::isfinite(value)) refuse(path_, "the entry \"" + key + "\" is not finite.");
    return value;
  }

  Settings settings() const {
    try {
      return Settings::from_metadata(file_.metadata());
    } catch (const Error& error) {
      refuse(path_, error.what());
    }
  }

  std::string precision() const {
    try {
      return nick(parse_precision(text("precision")));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::InvalidArgument) throw;
      refuse(path_, error.what());
    }
  }

  at::Tensor matrix(const std::string& name, at::ScalarType type) {
    at::Tensor value = file_.tensor(name);
    if (value.dim() != 2 || value.scalar_type() != type || value.numel() == 0)
      refuse(path_, "the tensor \"" + name + "\" has another type or shape.");
    return value;
  }

  std::vector<float> line(const std::string& name) {
    const at::Tensor value = file_.tensor(name);
    if (value.dim() != 1 || value.scalar_type() != at::kFloat || value.numel() == 0)
      refuse(path_, "the tensor \"" + name + "\" has another type or shape.");
    std::vector<float> values;
    for (const at::Tensor& part : blocks(value)) {
      monitor_.check();
      if (!part.isfinite().all().item<bool>())
        refuse(path_, "the tensor \"" + name + "\" isn't finite.");
      const auto* first = part.data_ptr<float>();
      const auto joint = static_cast<int64_t>(values.size()) - (values.empty() ? 0 : 1);
      values.insert(values.end(), first, first + part.numel());
      if (!std::is_sorted(values.begin() + joint, values.end()))
        refuse(path_, "its calibration is not in order.");
    }
    return values;
  }

  void check(const MemoryBank& bank) const {
    for (const at::Tensor& part : blocks(bank.rows)) {
      monitor_.check();
      if (!part.isfinite().all().item<bool>()) refuse(path_, "it holds NaN or infinity.");
    }
    const at::Tensor& n = bank.neighbours;
    const auto b = std::min<int64_t>(bank.settings.neighbours, bank.size());
    if (n.size(0) != bank.size() || n.size(1) != b)
      refuse(path_, "its neighbours belong to another number of rows.");
    int64_t row = 0;
    for (const at::Tensor& part : blocks(n)) {
      monitor_.check();
      if (part.min().item<int64_t>() < 0 || part.max().item<int64_t>() >= bank.size())
        refuse(path_, "its neighbours name rows that aren't there.");
      if (!part.select(1, 0).equal(at::arange(row, row + part.size(0))))
        refuse(path_, "its neighbours don't begin with the row itself.");
      row += part.size(0);
    }
    if (bank.frames < 0) refuse(path_, "its number of frames is negative.");
  }

  Calibration calibration(bool scores) {
    Calibration c;
    if (scores) {
      c.scores = line("calibration_scores");
      c.map_peaks = line("calibration_map_peaks");
    }
    c.threshold = finite("threshold");
    c.pixel_threshold = finite("pixel_threshold");
    c.median = finite("median");
    c.pixel_median = finite("pixel_median");
    c.method = text("threshold_method");
    if (file_.metadata().contains("calibration_hours")) {
      c.hours = finite("calibration_hours");
      c.alarms = number<int64_t>("calibration_alarms");
      if (c.hours <= 0 || c.alarms < 0) refuse(path_, "its calibration's alarms make no sense.");
    }
    return c;
  }

  std::filesystem::path path_;
  Monitor monitor_;
  SafetensorsReader file_;
};

}  // namespace

MemoryBank MemoryBank::load(const std::filesystem::path& path, const Monitor& monitor) {
  MemoryBank bank = Loader(path, monitor).load();
  bank.origin = path.string();
  bank.id = bank.identify(monitor);
  return bank;
}

std::shared_ptr<const MemoryBank> MemoryBank::get(const std::filesystem::path& path,
                                                  const Monitor& monitor) {
  static auto& cache = *new WeakCache<std::string, MemoryBank>;
  const auto make = [&] { return std::make_shared<const MemoryBank>(load(path, monitor)); };
  return cache.get(file_identity(path), make, monitor);
}

std::string MemoryBank::identify(const Monitor& monitor) const {
  constexpr size_t kDigits = 16;
  // As JSON, no text of one entry can pass for another's. Its keys are in alphabetical order.
  nlohmann::json entries = settings.to_metadata();
  entries["weights_id"] = weights_id;
  entries["bank"] = std::to_string(size()) + "x" + std::to_string(width());
  const std::string text = entries.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Sha256 sum;
  sum.update(text.data(), text.size());
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    const at::Tensor values = part.contiguous();
    sum.update(values.data_ptr(), values.nbytes());
  }
  return sum.hex().substr(0, kDigits);
}

void MemoryBank::save(const std::filesystem::path& path, const Monitor& monitor) const {
  auto metadata = settings.to_metadata();
  metadata["patchcore_format"] = kFormat;
  metadata["library_version"] = kVersion;
  metadata["weights_id"] = weights_id;
  metadata["weights_location"] = weights_location;
  metadata["precision"] = precision;
  metadata["seed"] = std::to_string(seed);
  metadata["frames"] = std::to_string(frames);

  std::map<std::string, at::Tensor> tensors{{"bank", rows}, {"neighbours", neighbours}};
  if (calibration.valid()) {
    metadata["threshold"] = digits(calibration.threshold);
    metadata["pixel_threshold"] = digits(calibration.pixel_threshold);
    metadata["median"] = digits(calibration.median);
    metadata["pixel_median"] = digits(calibration.pixel_median);
    metadata["threshold_method"] = calibration.method;
    if (calibration.hours > 0) {
      metadata["calibration_hours"] = digits(calibration.hours);
      metadata["calibration_alarms"] = std::to_string(calibration.alarms);
    }
    if (!calibration.scores.empty()) {
      tensors["calibration_scores"] = floats(calibration.scores);
      tensors["calibration_map_peaks"] = floats(calibration.map_peaks);
    }
  }
  write_safetensors(path, metadata, tensors, monitor);
}

}  // namespace patchcore
