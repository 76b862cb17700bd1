// SPDX-License-Identifier: LGPL-2.1-or-later
#include "options.hpp"

#include <CLI/CLI.hpp>

#include "backbone.hpp"
#include "bank_file.hpp"
#include "preprocess.hpp"

namespace patchcore::cli {
namespace {

/// Refuses, with the parser's own words, a text that one of the library's parsers refuses.
template <typename Parse>
CLI::Validator parsed_by(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) -> std::string {
        try {
          parse(text);
          return "";
        } catch (const Error& error) {
          return error.what();
        }
      },
      "");
}

void add_device_options(CLI::App& command, DeviceOptions& options) {
  command.add_option("--device", options.device, "auto, cpu or cuda:N")
      ->type_name("D")
      ->capture_default_str();
  command.add_option("--precision", options.precision, "auto, fp32, bf16 or fp16")
      ->check(parsed_by(parse_precision))
      ->type_name("P")
      ->capture_default_str();
}

/// Names a network there is; a TorchScript file may be named behind a colon.
void check_backbone(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  std::string known;
  for (const std::string& each : backbone_names()) {
    if (each == name && (colon == std::string::npos || runs_its_file(name))) return;
    known += (known.empty() ? "" : ", ") + each;
  }
  throw Error(ErrorCode::InvalidArgument, quoted(text) + " is none of " + known);
}

Settings set(Settings settings, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos)
    throw Error(ErrorCode::InvalidArgument, quoted(text) + " is not NAME=VALUE");
  settings.set(text.substr(0, equals), text.substr(equals + 1));
  return settings;
}

}  // namespace

std::string quoted(const std::string& file) { return "\"" + file + "\""; }

void add_network_options(CLI::App& command, NetworkOptions& options) {
  command.add_option("--backbone", options.backbone, "The network")
      ->check(parsed_by(check_backbone))
      ->type_name("B")
      ->capture_default_str();
  command
      .add_option("--weights", options.weights,
                  "Its weights, safetensors or .pth [those that were fetched]")
      ->type_name("FILE");
  command.add_option("--layers", options.layers, "Its layers, finest first, such as layer2,layer3")
      ->type_name("L,L");
  command.add_option("--preset", options.preset, "paper, official, anomalib, article or inspect")
      ->check(parsed_by(parse_preset))
      ->type_name("P")
      ->capture_default_str();
  command
      .add_option("--resize", options.resize,
                  "Images' size: N for the shorter side, or exactly WxH [the preset's]")
      ->check(parsed_by(parse_resize))
      ->type_name("N|WxH");
  command
      .add_option("--crop", options.crop,
                  "Side of the centred square that is kept, 0 keeps all [the preset's]")
      ->check(CLI::Range(0, 8192).description(""))
      ->type_name("N");
  command
      .add_option(
          "--set", options.settings,
          "Another value than the preset's for a setting of docs/presets.md; may be repeated")
      ->check(parsed_by([](const std::string& text) { set(Settings(), text); }))
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  add_device_options(command, options.device);
}

template <typename Names>
CLI::Option& add_bank_name(CLI::App& command, Names& names, const std::string& help) {
  return *command.add_option("--bank-name", names, help)
              ->check(parsed_by(check_bank_name))
              ->allow_extra_args(false)
              ->type_name("NAME");
}

template CLI::Option& add_bank_name(CLI::App&, std::string&, const std::string&);

void add_bank_options(CLI::App& command, BankOptions& options) {
  command
      .add_option(
          "--bank", options.files,
          "The bank, from patchcore fit; repeated: several, of which the one counts that an "
          "image stands out to most")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  add_bank_name(
      command, options.names,
      "Which one, of a file that holds several; repeated: several of them, or one of each "
      "--bank");
  command
      .add_option("--weights", options.weights,
                  "The network's weights [where they were for the fit]")
      ->type_name("FILE");
  add_mask_options(command, options.mask);
  add_device_options(command, options.device);
}

void add_mask_options(CLI::App& command, MaskOptions& options) {
  auto* mask =
      command
          .add_option("--mask", options.file,
                      "PNG that says which parts of the images count, of their aspect, any size "
                      "[PART.focus.png or PART.ignore.png beside the bank PART.safetensors]")
          ->type_name("FILE");
  command
      .add_option("--mask-kind", options.kind,
                  "What its bright pixels are: focus, what counts; ignore, what is left out")
      ->check(CLI::IsMember({"focus", "ignore"}))
      ->type_name("K")
      ->capture_default_str()
      ->needs(mask);
}

Settings make_settings(const NetworkOptions& options) {
  Settings settings = Settings::from_preset(parse_preset(options.preset));
  settings.backbone = options.backbone;
  if (!options.resize.empty()) settings.resize = parse_resize(options.resize);
  if (options.crop >= 0) settings.crop = options.crop;
  settings.search_radius = options.search_radius;
  for (const std::string& text : options.settings) settings = set(std::move(settings), text);
  return settings;
}

Size check_sizes(const Settings& settings, const Backbone& backbone) {
  // A square frame fits wherever any does.
  constexpr int kSide = 1024;
  return Preprocess(settings, backbone.stride()).geometry({kSide, kSide}).input;
}

}  // namespace patchcore::cli
