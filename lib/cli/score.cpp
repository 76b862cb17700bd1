// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "commands.hpp"
#include "opening.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "safetensors.hpp"

namespace patchcore::cli {
namespace {

struct ScoreCommand {
  BankOptions bank;
  std::string images;
  std::string maps;  ///< empty: not asked for
  bool json = false;
};

void print_json(const Processed& image, const Calibration& calibration) {
  Json line{{"file", image.file.name},
            {"score", image.result.score},
            {"normalized_score", nullptr},
            {"anomalous", nullptr}};
  if (calibration.valid()) {
    line["normalized_score"] = image.result.normalized_score;
    line["anomalous"] = image.result.score >= calibration.threshold;
  }
  print_line(std::cout, line);
}

void print_text(const Processed& image, const Calibration& calibration) {
  const bool anomalous = image.result.score >= calibration.threshold;
  std::cout << image.file.name << '\t' << digits(image.result.score) << '\t'
            << (calibration.valid() ? digits(image.result.normalized_score) : "-") << '\t'
            << (!calibration.valid() ? "-"
                : anomalous          ? "anomalous"
                                     : "normal")
            << '\n';
}

void run(const ScoreCommand& command) {
  if (!command.maps.empty()) check_writable(command.maps);
  const Ensemble ensemble = open_ensemble(command.bank);
  const auto files = require_images(command.images);
  const Calibration& calibration = ensemble.calibration();

  std::map<std::string, at::Tensor> maps;
  Progress progress;
  const bool quiet = ::isatty(STDOUT_FILENO) == 1;  // the lines themselves show how far it is
  double done = 0;
  const auto show = [&](const Processed& image) {
    command.json ? print_json(image, calibration) : print_text(image, calibration);
    if (!command.maps.empty()) maps.emplace(image.file.name, image.result.map);
    if (!quiet) progress.show("Scoring", ++done / static_cast<double>(files.size()));
  };
  ensemble.score(files, show);
  progress.clear();
  finish_output();
  if (!command.maps.empty()) write_safetensors(command.maps, {}, maps);
}

}  // namespace

void add_score(CLI::App& app) {
  auto command = std::make_shared<ScoreCommand>();
  CLI::App& score = *app.add_subcommand("score", "Score the images of a folder with a bank");
  score.add_option("--images", command->images, "Folder of images, read with its subfolders")
      ->required()
      ->type_name("DIR");
  add_bank_options(score, command->bank);
  score
      .add_option("--maps", command->maps,
                  "Also write the anomaly maps: a float32 tensor H x W an image, named by its path "
                  "below DIR, at the network's input size, in the score's raw units; of several "
                  "banks in pixel "
                  "thresholds, at the largest size")
      ->type_name("FILE.safetensors");
  score.add_flag("--json", command->json,
                 "A JSON object a line: file, score, normalized_score, anomalous; the last two are "
                 "null where the bank has no threshold");
  score.footer(
      "Writes a line an image: file, score, normalized score (0.5 at the threshold), verdict,\n"
      "with tabs between.\n\n"
      "Example:\n"
      "  patchcore score --bank part.safetensors --images new/ --json");
  score.callback([command] { run(*command); });
}

}  // namespace patchcore::cli
