// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fit.hpp"

#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "batch.hpp"
#include "commands.hpp"
#include "options.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace patchcore::cli {
namespace {

struct FitCommand {
  NetworkOptions network;
  FitOptions fit;
  std::string images;
  std::string output;
  int batch_size = kDefaultBatchSize;
};

/// Adds the images and returns the number of their patches.
int64_t gather(Fit& fit, const FitCommand& command, Progress& progress) {
  const auto files = require_images(command.images);
  const int step = fit.backbone().layers().front().stride;
  int64_t patches = 0;
  double done = 0;
  const auto count = [&](const Processed& image) {
    const Size input = image.geometry.input;
    patches += int64_t{(input.width + step - 1) / step} * ((input.height + step - 1) / step);
    progress.show("Reading images", ++done / static_cast<double>(files.size()));
  };
  fit_images(fit, files, count, command.batch_size);
  return patches;
}

void summarise(const MemoryBank& bank, int64_t patches, double seconds, const std::string& file) {
  std::array<char, 32> time;
  std::snprintf(time.data(), time.size(), "%.1f s", seconds);
  std::cout << bank.frames << " frames, " << patches << " patches, bank " << bank.size() << " x "
            << bank.width() << ", "
            << (bank.calibration.valid() ? "threshold " + digits(bank.calibration.threshold)
                                         : "no threshold")
            << ", " << time.data() << ": " << file << '\n';
  finish_output();
}

void run(const FitCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  check_writable(command.output);
  Fit fit(open_network(command.network), make_settings(command.network), command.fit);

  Progress progress;
  const int64_t patches = gather(fit, command, progress);
  const c10::InferenceMode no_gradients;
  const MemoryBank bank = fit.build(progress.monitor("Building the bank"));
  bank.save(command.output);
  progress.clear();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  summarise(bank, patches, time.count(), command.output);
}

/// Refuses a text, and says why, that CLI11's own checks would let pass.
CLI::Validator refusing(bool (*wrong)(const std::string&), const char* why) {
  return {[=](std::string& text) { return std::string(wrong(text) ? why : ""); }, ""};
}

void add_fit_options(CLI::App& app, FitOptions& options) {
  auto* ratio = app.add_option("--coreset-ratio", options.coreset_ratio,
                               "Share of the patches that the bank keeps, above 0, at most 1")
                    ->type_name("R")
                    ->capture_default_str();
  app.add_option("--bank-size", options.bank_size, "Number of patches that the bank keeps")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40).description(""))
      ->type_name("K")
      ->excludes(ratio);
  app.add_option("--folds", options.folds,
                 "Parts that the images are split into to find the threshold; 0: no threshold")
      ->check(refusing([](const std::string& text) { return text == "1"; },
                       "one part leaves nothing to fit on"))
      ->check(CLI::Range(0, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--false-alarm-rate", options.false_alarm_rate,
                 "Share of normal images that may be at or above the threshold")
      ->type_name("R")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of every random choice")
      ->check(refusing([](const std::string& text) { return text.starts_with("-"); },
                       "a seed is not negative"))
      ->type_name("S")
      ->capture_default_str();
}

}  // namespace

void add_fit(CLI::App& app) {
  auto command = std::make_shared<FitCommand>();
  CLI::App& fit = *app.add_subcommand("fit", "Make a bank from a folder of normal images");
  fit.add_option("--images", command->images, "Folder of normal images, read with its subfolders")
      ->required()
      ->type_name("DIR");
  fit.add_option("--output", command->output,
                 "The bank to write; replaced once the new one is done")
      ->required()
      ->type_name("FILE");
  add_network_options(fit, command->network);
  add_fit_options(fit, command->fit);
  fit.add_option("--batch-size", command->batch_size, "Images run at a time")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->capture_default_str();
  fit.footer(
      "Example:\n"
      "  patchcore fit --images good/ --backbone resnet18 --weights resnet18.safetensors \\\n"
      "      --bank-size 10000 --output part.safetensors");
  fit.callback([command] { run(*command); });
}

}  // namespace patchcore::cli
