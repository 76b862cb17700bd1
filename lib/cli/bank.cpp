// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands.hpp"
#include "confidence.hpp"
#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "options.hpp"
#include "output.hpp"
#include "patch_embedding.hpp"
#include "safetensors.hpp"

namespace patchcore::cli {
namespace {

struct InfoCommand {
  std::string file;
  bool json = false;
};

struct ImportCommand {
  NetworkOptions network;
  std::string embeddings;
  std::string output;
};

/// How often normal frames raise an alarm, as far as it was seen.
Json describe(const Calibration& calibration) {
  const auto frames = static_cast<int64_t>(calibration.scores.size());
  const auto known = [&](bool is, const auto& value) { return is ? Json(value) : Json(nullptr); };
  const bool valid = calibration.valid(), timed = calibration.hours > 0;
  return {
      {"calibration_frames", known(valid, frames)},
      {"false_alarms", known(valid, calibration.false_alarms())},
      {"false_alarm_bound", known(valid, rate_bound(calibration.false_alarms(), frames))},
      {"calibration_hours", known(timed, calibration.hours)},
      {"calibration_alarms", known(timed, calibration.alarms)},
      {"alarms_per_hour_bound", known(timed, count_bound(calibration.alarms) / calibration.hours)}};
}

Json describe(const std::string& file) {
  const MemoryBank bank = MemoryBank::load(file);
  const auto metadata = SafetensorsReader(file).metadata();
  const Calibration& calibration = bank.calibration;
  const auto calibrated = [&](const Json& v) { return calibration.valid() ? v : Json(nullptr); };
  const auto entry = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? Json(nullptr) : Json(found->second);
  };
  Json info{{"file", file},
            {"id", bank.id},
            {"format", entry("patchcore_format")},
            {"library_version", entry("library_version")},
            {"rows", bank.size()},
            {"width", bank.width()},
            {"frames", bank.frames},
            {"threshold", calibrated(calibration.threshold)},
            {"pixel_threshold", calibrated(calibration.pixel_threshold)},
            {"median", calibrated(calibration.median)},
            {"threshold_method", calibrated(calibration.method)}};
  info.update(describe(calibration));
  info.update(Json{{"weights_id", bank.weights_id},
                   {"weights_location", bank.weights_location},
                   {"precision", bank.precision},
                   {"seed", bank.seed}});
  info["settings"] = bank.settings.to_metadata();
  return info;
}

void print_text(const Json& object, size_t width) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      print_text(value, width);
      continue;
    }
    std::cout << key << std::string(width - key.size(), ' ')
              << (value.is_string()         ? value.get<std::string>()
                  : value.is_null()         ? "none"
                  : value.is_number_float() ? digits(value.get<double>())
                                            : value.dump())
              << '\n';
  }
}

void run(const InfoCommand& command) {
  constexpr size_t kColumn = 23;  // two more than the longest key
  const Json info = describe(command.file);
  command.json ? print_indented(std::cout, info) : print_text(info, kColumn);
  finish_output();
}

/// The one matrix that was asked for, as finite floats on the CPU.
at::Tensor read_embeddings(const std::string& file) {
  SafetensorsReader reader(file);
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::OpenRead, quoted(file) + " holds no embeddings: " + why);
  };
  const char* name = reader.contains("bank") ? "bank" : "memory_bank";
  if (!reader.contains(name)) refuse("it has no tensor named bank or memory_bank.");
  const at::Tensor stored = reader.tensor(name);
  if (!stored.is_floating_point() || stored.dim() != 2 || stored.numel() == 0)
    refuse("its tensor is not a K x D matrix of floats.");
  at::Tensor rows = stored.to(at::kFloat);
  if (!rows.isfinite().all().item<bool>()) refuse("it has NaN, infinity or values beyond float32.");
  return rows;
}

/// Runs an empty image through the network: the width of an embedding follows from many choices.
int64_t embedding_width(const Backbone& backbone, const Settings& settings) {
  const int64_t side = int64_t{4} * backbone.stride();  // so that no neighbourhood is larger
  const at::Tensor input = at::zeros({1, 3, side, side}, at::TensorOptions(backbone.device()));
  return PatchEmbedding(settings)(backbone.features(input)).rows.size(1);
}

MemoryBank make_bank(at::Tensor rows, Settings settings, const Backbone& backbone) {
  MemoryBank bank;
  settings.backbone = backbone.options().name;
  settings.layers = backbone.options().layers;
  const int64_t b = std::min<int64_t>(settings.neighbours, rows.size(0));
  bank.neighbours = NearestNeighbour(rows.to(backbone.device())).own_neighbours(b).cpu();
  bank.rows = std::move(rows);
  bank.settings = std::move(settings);
  bank.weights_id = backbone.weights_id();
  bank.weights_location = backbone.options().weights;
  bank.precision = nick(backbone.options().precision);
  return bank;
}

void run(const ImportCommand& command) {
  check_writable(command.output);
  const c10::InferenceMode no_gradients;
  const auto backbone = open_network(command.network);
  const Settings settings = make_settings(command.network);
  at::Tensor rows = read_embeddings(command.embeddings);
  const int64_t width = embedding_width(*backbone, settings);
  if (rows.size(1) != width)
    throw Error(ErrorCode::Incompatible,
                quoted(command.embeddings) + " has embeddings of " + std::to_string(rows.size(1)) +
                    " values, " + command.network.backbone + " with the preset " +
                    command.network.preset + " gives " + std::to_string(width) + ".");
  const MemoryBank bank = make_bank(std::move(rows), settings, *backbone);
  bank.save(command.output);
  std::cout << "bank " << bank.size() << " x " << bank.width()
            << ", no threshold: " << command.output << '\n';
  finish_output();
}

void add_info(CLI::App& bank) {
  auto command = std::make_shared<InfoCommand>();
  CLI::App& info = *bank.add_subcommand("info", "Say what a bank holds and how it was made");
  info.add_option("file", command->file, "The bank")->required()->type_name("FILE");
  info.add_flag("--json", command->json, "A JSON object");
  info.footer("Example:\n  patchcore bank info part.safetensors");
  info.callback([command] { run(*command); });
}

void add_import(CLI::App& bank) {
  auto command = std::make_shared<ImportCommand>();
  CLI::App& importing = *bank.add_subcommand(
      "import", "Make a bank of embeddings that another program chose; it has no threshold");
  importing
      .add_option("--embeddings", command->embeddings,
                  "safetensors file with a K x D tensor named bank or memory_bank")
      ->required()
      ->type_name("FILE");
  importing.add_option("--output", command->output, "The bank to write")
      ->required()
      ->type_name("FILE");
  add_network_options(importing, command->network);
  importing.get_option("--backbone")->required();
  importing.footer(
      "Example, for a bank of anomalib's:\n"
      "  patchcore bank import --embeddings memory_bank.safetensors --backbone resnet18 \\\n"
      "      --weights resnet18.safetensors --preset anomalib --output part.safetensors");
  importing.callback([command] { run(*command); });
}

}  // namespace

void add_bank(CLI::App& app) {
  CLI::App& bank = *app.add_subcommand("bank", "Look into a bank, or make one of embeddings");
  bank.require_subcommand(1);
  bank.footer("Example:\n  patchcore bank info part.safetensors");
  add_info(bank);
  add_import(bank);
}

}  // namespace patchcore::cli
