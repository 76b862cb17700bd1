// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fit.hpp"

#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cinttypes>
#include <iostream>

#include "bank_file.hpp"
#include "batch.hpp"
#include "commands.hpp"
#include "confidence.hpp"
#include "opening.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace patchcore::cli {
namespace {

struct FitCommand {
  NetworkOptions network;
  FitOptions fit;
  MaskOptions mask;
  std::string images;
  std::string output;
  std::string bank_name;  ///< empty: the bank without a name
  int batch_size = kDefaultBatchSize;
  double frame_rate = 0;    ///< frames a second; 0: no video
  bool rate_asked = false;  ///< for a false alarm rate, which has a default
};

void gather(Fit& fit, const std::vector<ImageFile>& files, const FitCommand& command,
            Progress& progress) {
  double done = 0;
  const auto count = [&](const Processed&) {
    progress.show("Reading images", ++done / static_cast<double>(files.size()));
  };
  fit_images(fit, open_mask(command.mask, command.output, command.bank_name), files, count,
             command.batch_size);
}

/// What the threshold was found with, in words: "2 of 200 (1 %, below 3.1 %)".
std::string false_alarms(const Calibration& calibration) {
  const auto frames = static_cast<int64_t>(calibration.scores.size());
  const int64_t alarms = calibration.false_alarms();
  std::array<char, 160> text;
  int length = std::snprintf(
      text.data(), text.size(), "false alarms %" PRId64 " of %" PRId64 " (%.3g %%, below %.3g %%)",
      alarms, frames, 100 * static_cast<double>(alarms) / static_cast<double>(frames),
      100 * rate_bound(alarms, frames));
  if (calibration.hours > 0)
    length +=
        std::snprintf(text.data() + length, text.size() - static_cast<size_t>(length),
                      ", %" PRId64 " alarms in %.3g h (below %.3g an hour)", calibration.alarms,
                      calibration.hours, count_bound(calibration.alarms) / calibration.hours);
  return {text.data(), static_cast<size_t>(length)};
}

void summarise(const MemoryBank& bank, int64_t patches, double seconds, const std::string& file) {
  std::array<char, 32> time;
  std::snprintf(time.data(), time.size(), "%.1f s", seconds);
  const Calibration& calibration = bank.calibration;
  std::cout << bank.frames << " frames, " << patches << " patches, bank " << bank.size() << " x "
            << bank.width() << ", "
            << (calibration.valid() ? "threshold " + digits(calibration.threshold) + ", " +
                                          false_alarms(calibration)
                                    : "no threshold")
            << ", " << time.data() << ": " << file << '\n';
  finish_output();
}

/// The images that don't belong, by their names.
void tell_outliers(const Outliers& outliers, const std::vector<ImageFile>& files, bool dropped) {
  if (outliers.frames.empty()) return;
  std::cerr << "patchcore: " << outliers.frames.size() << " of " << files.size()
            << " images score above " << digits(outliers.limit) << " with a bank of others, and "
            << (dropped ? "were left out:\n"
                        : "may not belong (--drop-outliers leaves them out):\n");
  for (const Outlier& outlier : outliers.frames)
    std::cerr << "  " << digits(outlier.score) << "  "
              << files[static_cast<size_t>(outlier.frame)].name << '\n';
}

/// The folds may be too short to show what was asked for.
void warn_if_unresolved(const FitCommand& command, const Calibration& calibration) {
  const FalseAlarms& wanted = command.fit.false_alarms;
  if (!calibration.valid()) return;
  if (wanted.per_hour > 0 && wanted.per_hour * calibration.hours < 1)
    std::cerr << "patchcore: " << digits(calibration.hours) << " hours are too short to tell "
              << digits(wanted.per_hour)
              << " alarms an hour: the threshold is above every normal frame.\n";
  else if (wanted.per_hour <= 0 && command.rate_asked && wanted.rate > 0 &&
           wanted.rate * static_cast<double>(calibration.scores.size()) < 1)
    std::cerr << "patchcore: " << calibration.scores.size()
              << " images are too few to tell a false alarm rate of " << digits(wanted.rate)
              << ": the threshold is above every normal image.\n";
}

void run(const FitCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  check_writable(command.output);
  check_room(command.output, command.bank_name);
  FitOptions options = command.fit;
  if (command.frame_rate <= 0) options.fold_order = Folds::Shuffled;
  Fit fit(open_network(command.network), make_settings(command.network), options);

  Progress progress;
  const auto files = require_images(command.images);
  gather(fit, files, command, progress);
  if (command.frame_rate > 0)
    fit.set_video({.seconds = static_cast<double>(fit.frames()) / command.frame_rate});
  const c10::InferenceMode no_gradients;
  const MemoryBank bank = fit.build(progress.monitor("Building the bank"));
  bank.save(command.output, command.bank_name);
  progress.clear();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  tell_outliers(fit.outliers(), files, options.drop_outliers);
  warn_if_unresolved(command, bank.calibration);
  summarise(bank, fit.patches(), time.count(), command.output);
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
  app.add_flag("--drop-outliers", options.drop_outliers,
               "Leave out the images that don't belong among the others; they are named anyway");
  auto* rate = app.add_option("--false-alarm-rate", options.false_alarms.rate,
                              "Share of normal images that may be at or above the threshold")
                   ->type_name("R")
                   ->capture_default_str();
  app.add_option("--alarms-per-hour", options.false_alarms.per_hour,
                 "Alarms an hour that normal video may raise, instead of a rate")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("A")
      ->excludes(rate);
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
  add_bank_name(fit, command->bank_name,
                "The bank's name, in a file that holds several; the others stay");
  add_network_options(fit, command->network);
  add_mask_options(fit, command->mask);
  fit.add_option("--search-radius", command->network.search_radius,
                 "Of a fixed camera: compare a patch with what was seen so many patches around its "
                 "place; 0: anywhere")
      ->check(CLI::Range(0, 255).description(""))
      ->type_name("N")
      ->capture_default_str();
  add_fit_options(fit, command->fit);
  auto* frame_rate = fit.add_option("--frame-rate", command->frame_rate,
                                    "The images are video, so many of them a second")
                         ->check(CLI::PositiveNumber.description(""))
                         ->type_name("F");
  fit.get_option("--alarms-per-hour")->needs(frame_rate);
  fit.add_option("--batch-size", command->batch_size, "Images run at a time")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->capture_default_str();
  fit.footer(
      "Example:\n"
      "  patchcore fit --images good/ --backbone resnet18 --weights resnet18.safetensors \\\n"
      "      --bank-size 10000 --output part.safetensors");
  const CLI::Option& rate = *fit.get_option("--false-alarm-rate");
  fit.callback([command, &rate] {
    command->rate_asked = rate.count() > 0;
    run(*command);
  });
}

}  // namespace patchcore::cli
