// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "anomalib.hpp"
#include "bank_file.hpp"
#include "commands.hpp"
#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "opening.hpp"
#include "output.hpp"
#include "patch_embedding.hpp"
#include "safetensors.hpp"

namespace patchcore::cli {
namespace {

struct ImportCommand {
  NetworkOptions network;
  std::string embeddings;
  std::string checkpoint;
  std::string weights_output;
  std::string output;
};

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
  const Size size = check_sizes(settings, backbone);
  const at::Tensor input =
      at::zeros({1, 3, size.height, size.width}, at::TensorOptions(backbone.device()));
  return PatchEmbedding(settings)(backbone.features(input)).rows.size(1);
}

/// `file`: what the rows are from.
MemoryBank make_bank(at::Tensor rows, Settings settings, const Backbone& backbone,
                     const std::string& file) {
  const int64_t width = embedding_width(backbone, settings);
  if (rows.size(1) != width)
    throw Error(ErrorCode::Incompatible,
                quoted(file) + " has embeddings of " + std::to_string(rows.size(1)) + " values, " +
                    settings.backbone + " with the preset " + nick(settings.preset) + " gives " +
                    std::to_string(width) + ".");
  if (settings.search_radius > 0)
    throw Error(ErrorCode::InvalidArgument,
                "Embeddings don't say where they were seen: there is no search radius.");
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

void tell(const MemoryBank& bank, const std::string& file) {
  std::cout << "bank " << bank.size() << " x " << bank.width() << ", "
            << (bank.calibration.valid() ? "threshold " + digits(bank.calibration.threshold)
                                         : "no threshold")
            << ": " << file << '\n';
  finish_output();
}

void import_embeddings(const ImportCommand& command) {
  const auto backbone = open_network(command.network);
  const MemoryBank bank = make_bank(read_embeddings(command.embeddings),
                                    make_settings(command.network), *backbone, command.embeddings);
  bank.save(command.output);
  tell(bank, command.output);
}

/// Beside the bank, where nothing else is said.
std::filesystem::path weights_place(const ImportCommand& command) {
  if (!command.weights_output.empty()) return command.weights_output;
  return std::filesystem::path(command.output).replace_extension(".weights.safetensors");
}

/// A file under another name until keep(), so that what fails leaves nothing.
class Draft {
 public:
  explicit Draft(std::filesystem::path place)
      : place_(std::filesystem::absolute(place)), path_(place_.string() + ".draft") {}
  ~Draft() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& place() const { return place_; }
  void keep() const { std::filesystem::rename(path_, place_); }

 private:
  std::filesystem::path place_, path_;
};

std::shared_ptr<const Backbone> open_draft(const Draft& weights, const Settings& settings,
                                           const NetworkOptions& options) {
  BackboneOptions wanted;
  wanted.name = settings.backbone;
  wanted.layers = settings.layers;
  wanted.weights = weights.path();
  wanted.device = options.device.device;
  wanted.precision = parse_precision(options.device.precision);
  return Backbone::get(wanted);
}

void import_checkpoint(const ImportCommand& command) {
  const Draft weights(weights_place(command));
  check_writable(weights.place());
  AnomalibCheckpoint checkpoint = AnomalibCheckpoint::read(command.checkpoint);
  write_safetensors(weights.path(),
                    {{"source", std::filesystem::path(command.checkpoint).filename()}},
                    checkpoint.weights);
  try {
    const auto backbone = open_draft(weights, checkpoint.settings, command.network);
    MemoryBank bank =
        make_bank(std::move(checkpoint.rows), checkpoint.settings, *backbone, command.checkpoint);
    bank.calibration = std::move(checkpoint.calibration);
    bank.weights_location = weights.place();
    weights.keep();
    bank.save(command.output);
    tell(bank, command.output);
  } catch (const Error& error) {
    // What the options have no part in.
    const bool of_file =
        error.code() == ErrorCode::InvalidArgument || error.code() == ErrorCode::OpenRead;
    if (!of_file) throw;
    throw Error(ErrorCode::OpenRead,
                quoted(command.checkpoint) + " can't be imported: " + error.what());
  }
}

void run(const ImportCommand& command) {
  check_writable(command.output);
  check_room(command.output, "");
  const c10::InferenceMode no_gradients;
  parse_device(command.network.device.device);  // first: it is the command line's fault, no file's
  command.checkpoint.empty() ? import_embeddings(command) : import_checkpoint(command);
}

/// Where the rows come from: one of two options, each with its own.
void add_sources(CLI::App& command, ImportCommand& import) {
  CLI::Option& embeddings =
      *command.add_option("--embeddings", import.embeddings,
                          "safetensors file with a K x D tensor named bank or memory_bank");
  CLI::Option& checkpoint =
      *command.add_option("--checkpoint", import.checkpoint,
                          "anomalib's .ckpt, with its network, sizes and thresholds");
  CLI::Option& weights_output =
      *command.add_option("--weights-output", import.weights_output,
                          "Where the checkpoint's weights go [beside the bank]");
  for (CLI::Option* option : {&embeddings, &checkpoint, &weights_output}) option->type_name("FILE");
  embeddings.excludes(&checkpoint);
  weights_output.needs(&checkpoint);
  for (const char* name :
       {"--backbone", "--weights", "--layers", "--preset", "--resize", "--crop", "--set"})
    checkpoint.excludes(command.get_option(name));
}

void check_sources(const ImportCommand& import, const CLI::App& command) {
  if (import.checkpoint.empty() && import.embeddings.empty())
    throw Error(ErrorCode::InvalidArgument, "Name --embeddings or --checkpoint.");
  if (!import.embeddings.empty() && command.count("--backbone") == 0)
    throw Error(ErrorCode::InvalidArgument, "--embeddings needs --backbone.");
}

}  // namespace

void add_bank_import(CLI::App& bank) {
  auto command = std::make_shared<ImportCommand>();
  CLI::App& importing = *bank.add_subcommand(
      "import", "Make a bank of what another program chose: embeddings, or anomalib's checkpoint");
  importing.add_option("--output", command->output, "The bank to write")
      ->required()
      ->type_name("FILE");
  add_network_options(importing, command->network);
  add_sources(importing, *command);
  importing.footer(
      "Embeddings alone have no threshold. Examples:\n"
      "  patchcore bank import --checkpoint model.ckpt --output part.safetensors\n"
      "  patchcore bank import --embeddings memory_bank.safetensors --backbone resnet18 \\\n"
      "      --weights resnet18.safetensors --preset anomalib --output part.safetensors");
  importing.callback([command, &importing] {
    check_sources(*command, importing);
    run(*command);
  });
}

}  // namespace patchcore::cli
