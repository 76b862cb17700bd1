// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bank_entries.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "blocks.hpp"
#include "device.hpp"
#include "version.hpp"

namespace patchcore {
namespace {

at::Tensor floats(const std::vector<float>& values) { return at::tensor(values, at::kFloat); }

std::string digits(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.begin(), text.end(), value).ptr};
}

// Cells of a side: those of the largest input with the smallest stride that a network has.
constexpr int kLargestGrid = 2048;

/// Reads a bank piece by piece; each refusal names the file.
class Loader {
 public:
  Loader(const std::filesystem::path& path, const std::string& name, const Monitor& monitor)
      : name_(name),
        shown_(shown_bank(path, name)),
        monitor_(monitor),
        file_(path, monitor),
        metadata_(file_.metadata(name)) {}

  MemoryBank load() {
    MemoryBank bank;
    bank.origin = shown_;
    bank.settings = settings();
    bank.rows = matrix("bank", at::kFloat);
    bank.neighbours = matrix("neighbours", at::kLong);
    bank.weights_id = text("weights_id");
    bank.weights_location = text("weights_location");
    bank.precision = precision();
    bank.seed = number<uint64_t>("seed");
    bank.frames = number<int64_t>("frames");
    check(bank);
    if (bank.settings.search_radius > 0) bank.positions = positions(bank.size());
    const bool scores = file_.contains(name_, "calibration_scores");
    if (scores || metadata_.count("threshold_method")) bank.calibration = calibration(scores);
    return bank;
  }

 private:
  const std::string& text(const std::string& key) const {
    auto found = metadata_.find(key);
    if (found == metadata_.end()) refuse("the entry \"" + key + "\" is missing.");
    return found->second;
  }

  template <typename Number>
  Number number(const std::string& key) const {
    const std::string& value = text(key);
    Number result{};
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size())
      refuse("the entry \"" + key + "\" is not a number.");
    return result;
  }

  double finite(const std::string& key) const {
    const auto value = number<double>(key);
    if (!std::isfinite(value)) refuse("the entry \"" + key + "\" is not finite.");
    return value;
  }

  Settings settings() const {
    try {
      return Settings::from_metadata(metadata_);
    } catch (const Error& error) {
      refuse(error.what());
    }
  }

  std::string precision() const {
    try {
      return nick(parse_precision(text("precision")));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::InvalidArgument) throw;
      refuse(error.what());
    }
  }

  at::Tensor matrix(const std::string& name, at::ScalarType type) {
    at::Tensor value = file_.tensor(name_, name);
    if (value.dim() != 2 || value.scalar_type() != type || value.numel() == 0)
      refuse("the tensor \"" + name + "\" has another type or shape.");
    return value;
  }

  Size grid() const {
    const std::string& value = text("positions");
    Size grid;
    const char *begin = value.data(), *end = begin + value.size();
    const auto width = std::from_chars(begin, end, grid.width);
    const bool is_by = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
    const auto height = std::from_chars(is_by ? width.ptr + 1 : end, end, grid.height);
    const auto in_range = [](int side) { return side >= 1 && side <= kLargestGrid; };
    if (!is_by || height.ec != std::errc() || height.ptr != end || !in_range(grid.width) ||
        !in_range(grid.height))
      refuse("the entry \"positions\" is no grid.");
    return grid;
  }

  Positions positions(int64_t rows) {
    Positions positions{file_.tensor(name_, "positions"), grid()};
    const at::Tensor& bits = positions.bits;
    if (bits.dim() != 2 || bits.scalar_type() != at::kByte || bits.size(0) != rows ||
        bits.size(1) != (positions.cells() + 7) / 8)
      refuse("the tensor \"positions\" has another type or shape.");
    const int64_t behind = positions.cells() % 8;
    for (const at::Tensor& part : blocks(bits)) {
      monitor_.check();
      if (!part.amax(1).ne(0).all().item<bool>()) refuse("it has a row that was seen nowhere.");
      if (behind > 0 && part.select(1, -1).max().item<int64_t>() >> behind)
        refuse("it has a row that was seen outside of the picture.");
    }
    return positions;
  }

  std::vector<float> line(const std::string& name) {
    const at::Tensor value = file_.tensor(name_, name);
    if (value.dim() != 1 || value.scalar_type() != at::kFloat || value.numel() == 0)
      refuse("the tensor \"" + name + "\" has another type or shape.");
    std::vector<float> values;
    for (const at::Tensor& part : blocks(value)) {
      monitor_.check();
      if (!part.isfinite().all().item<bool>()) refuse("the tensor \"" + name + "\" isn't finite.");
      const auto* first = part.data_ptr<float>();
      const auto joint = static_cast<int64_t>(values.size()) - (values.empty() ? 0 : 1);
      values.insert(values.end(), first, first + part.numel());
      if (!std::is_sorted(values.begin() + joint, values.end()))
        refuse("its calibration is not in order.");
    }
    return values;
  }

  void check(const MemoryBank& bank) const {
    for (const at::Tensor& part : blocks(bank.rows)) {
      monitor_.check();
      if (!part.isfinite().all().item<bool>()) refuse("it holds NaN or infinity.");
    }
    const at::Tensor& n = bank.neighbours;
    const auto b = std::min<int64_t>(bank.settings.neighbours, bank.size());
    if (n.size(0) != bank.size() || n.size(1) != b)
      refuse("its neighbours belong to another number of rows.");
    int64_t row = 0;
    for (const at::Tensor& part : blocks(n)) {
      monitor_.check();
      if (part.min().item<int64_t>() < 0 || part.max().item<int64_t>() >= bank.size())
        refuse("its neighbours name rows that aren't there.");
      if (!part.select(1, 0).equal(at::arange(row, row + part.size(0))))
        refuse("its neighbours don't begin with the row itself.");
      row += part.size(0);
    }
    if (bank.frames < 0) refuse("its number of frames is negative.");
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
    if (metadata_.contains("calibration_hours")) {
      c.hours = finite("calibration_hours");
      c.alarms = number<int64_t>("calibration_alarms");
      if (c.hours <= 0 || c.alarms < 0) refuse("its calibration's alarms make no sense.");
    }
    return c;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::OpenRead, "\"" + shown_ + "\" is not a PatchCore bank: " + why);
  }

  std::string name_;
  std::string shown_;
  Monitor monitor_;
  BankFile file_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

MemoryBank read_bank(const std::filesystem::path& path, const std::string& name,
                     const Monitor& monitor) {
  return Loader(path, name, monitor).load();
}

BankEntries entries_of(const MemoryBank& bank) {
  BankEntries entries{bank.settings.to_metadata(),
                      {{"bank", bank.rows}, {"neighbours", bank.neighbours}}};
  auto& metadata = entries.metadata;
  metadata["library_version"] = kVersion;
  metadata["weights_id"] = bank.weights_id;
  metadata["weights_location"] = bank.weights_location;
  metadata["precision"] = bank.precision;
  metadata["seed"] = std::to_string(bank.seed);
  metadata["frames"] = std::to_string(bank.frames);
  if (bank.positions.defined()) {
    metadata["positions"] = shown_grid(bank.positions.grid);
    entries.tensors["positions"] = bank.positions.bits;
  }
  const Calibration& calibration = bank.calibration;
  if (!calibration.valid()) return entries;
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
    entries.tensors["calibration_scores"] = floats(calibration.scores);
    entries.tensors["calibration_map_peaks"] = floats(calibration.map_peaks);
  }
  return entries;
}

std::string shown_grid(Size grid) {
  return std::to_string(grid.width) + "x" + std::to_string(grid.height);
}

std::string shown_bank(const std::filesystem::path& path, const std::string& name) {
  return path.string() + (name.empty() ? "" : "#" + name);
}

}  // namespace patchcore
