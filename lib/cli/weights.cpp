// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <iostream>

#include "commands.hpp"
#include "fetching.hpp"
#include "options.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace patchcore::cli {
namespace {

struct FetchCommand {
  std::string network;
  std::string mirror = kWeightsAddress;
  std::string output;
  bool offline = false;
};

struct ConvertCommand {
  std::string file;
  std::string output;
};

void list(bool json) {
  Json all = Json::array();
  for (const auto& weights : published_weights()) {
    const auto cached = cached_weights(weights.network);
    const bool there = !cached.empty() && std::filesystem::exists(cached);
    all.push_back({{"backbone", weights.network},
                   {"address", std::string(kWeightsAddress) + weights.file},
                   {"file", there ? Json(cached.string()) : Json(nullptr)}});
  }
  if (json) {
    print_indented(std::cout, all);
  } else {
    for (const auto& entry : all)
      std::cout << entry["backbone"].get<std::string>() << '\n'
                << "  published  " << entry["address"].get<std::string>() << '\n'
                << "  here       "
                << (entry["file"].is_null() ? "no" : entry["file"].get<std::string>()) << '\n';
  }
  finish_output();
}

std::filesystem::path place_for(const FetchCommand& command) {
  if (!command.output.empty()) return command.output;
  const auto cached = cached_weights(command.network);
  if (cached.empty())
    throw Error(ErrorCode::InvalidArgument,
                "There is no cache folder without HOME; name a file with --output.");
  std::error_code error;
  std::filesystem::create_directories(cached.parent_path(), error);
  if (error)
    throw Error(ErrorCode::Write, "\"" + cached.parent_path().string() +
                                      "\" can't be made: " + error.message() + ".");
  return cached;
}

void fetch(const FetchCommand& command) {
  const PublishedWeights& weights = published_weights(command.network);
  const std::filesystem::path place = place_for(command);
  if (!std::filesystem::exists(place)) {
    if (command.offline)
      throw Error(ErrorCode::NotFound, "The weights of " + command.network + " are not at " +
                                           quoted(place.string()) + ", and --offline was given.");
    check_writable(place);
    Progress progress;
    fetch_weights(weights, command.mirror, place, progress.monitor("Fetching " + command.network));
  }
  std::cout << place.string() << '\n';
  finish_output();
}

void convert(const ConvertCommand& command) {
  check_writable(command.output);
  convert_weights(command.file, command.output);
  std::cout << command.output << '\n';
  finish_output();
}

void add_list(CLI::App& weights) {
  auto json = std::make_shared<bool>(false);
  CLI::App& list_command =
      *weights.add_subcommand("list", "Say which weights are published, and which are here");
  list_command.add_flag("--json", *json, "A JSON array");
  list_command.footer("Example:\n  patchcore weights list");
  list_command.callback([json] { list(*json); });
}

void add_fetch(CLI::App& weights) {
  auto command = std::make_shared<FetchCommand>();
  CLI::App& fetch_command = *weights.add_subcommand(
      "fetch", "Get torchvision's weights of a network (IMAGENET1K_V1), unless they are here");
  fetch_command.add_option("backbone", command->network, "The network")->required();
  fetch_command.add_option("--mirror", command->mirror, "Where the files of their names lie")
      ->capture_default_str();
  fetch_command.add_option("--output", command->output,
                           "The safetensors file to write [in the cache folder]");
  fetch_command.add_flag("--offline", command->offline, "Use no network");
  fetch_command.footer(
      "What was cut off goes on where it ended. The cache folder is\n"
      "$XDG_CACHE_HOME/patchcore/weights, else ~/.cache/patchcore/weights; a network without\n"
      "--weights is looked for there.\n\nExample:\n  patchcore weights fetch resnet18");
  fetch_command.callback([command] { fetch(*command); });
}

void add_convert(CLI::App& weights) {
  auto command = std::make_shared<ConvertCommand>();
  CLI::App& convert_command =
      *weights.add_subcommand("convert", "Make safetensors of a .pth; nothing in it is run");
  convert_command.add_option("file", command->file, "The .pth or .pt")->required();
  convert_command.add_option("--output", command->output, "The file to write")->required();
  convert_command.footer(
      "Example:\n  patchcore weights convert resnet18.pth --output resnet18.safetensors");
  convert_command.callback([command] { convert(*command); });
}

}  // namespace

void add_weights(CLI::App& app) {
  CLI::App& weights =
      *app.add_subcommand("weights", "Get the weights of networks, or convert them");
  weights.require_subcommand(1);
  weights.footer("Example:\n  patchcore weights fetch resnet18");
  add_list(weights);
  add_fetch(weights);
  add_convert(weights);
}

}  // namespace patchcore::cli
