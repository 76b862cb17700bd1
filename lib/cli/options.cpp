// SPDX-License-Identifier: LGPL-2.1-or-later
#include "options.hpp"

#include <CLI/CLI.hpp>

#include "bank_file.hpp"
#include "lists.hpp"

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

/// A bank's file and its name there.
struct Choice {
  std::string file, name;
};

std::vector<Choice> choices(const BankOptions& options) {
  const std::vector<std::string>&files = options.files, &names = options.names;
  std::vector<Choice> chosen;
  if (files.size() == 1 && !names.empty()) {
    for (const std::string& name : names) chosen.push_back({files.front(), name});
  } else if (names.empty() || names.size() == files.size()) {
    for (size_t i = 0; i < files.size(); ++i)
      chosen.push_back({files[i], names.empty() ? "" : names[i]});
  } else {
    throw Error(ErrorCode::InvalidArgument,
                "Of several --bank each has one --bank-name, or none has; here are " +
                    std::to_string(files.size()) + " and " + std::to_string(names.size()) + ".");
  }
  return chosen;
}

std::shared_ptr<const Backbone> backbone_of(const MemoryBank& bank, const BankOptions& options) {
  const auto wanted = backbone_options_for(bank, options.weights, options.device.device,
                                           parse_precision(options.device.precision));
  try {
    return Backbone::get(wanted);
  } catch (const Error& error) {
    const bool hint = options.weights.empty() && error.code() == ErrorCode::NotFound &&
                      !runs_its_file(wanted.name);
    if (hint)
      throw Error(error.code(),
                  "The weights that " + quoted(bank.origin) +
                      " was made with are gone, name them with --weights: " + error.what());
    throw;
  }
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

std::shared_ptr<const Backbone> open_network(const NetworkOptions& options) {
  BackboneOptions wanted;
  wanted.name = options.backbone;
  wanted.weights = options.weights;
  wanted.layers = split(options.layers);
  wanted.device = options.device.device;
  wanted.precision = parse_precision(options.device.precision);
  auto backbone = Backbone::get(wanted);
  check_sizes(make_settings(options), *backbone);
  return backbone;
}

MaskPtr open_mask(const MaskOptions& options, const std::string& bank,
                  const std::string& bank_name) {
  try {
    return options.file.empty() ? Mask::beside(bank, bank_name)
                                : Mask::load(options.file, parse_mask_kind(options.kind));
  } catch (const Error& error) {
    // Of the files, not of the command line.
    if (error.code() != ErrorCode::InvalidArgument) throw;
    throw Error(ErrorCode::OpenRead, error.what());
  }
}

namespace {

std::unique_ptr<const Detector> open_detector(const Choice& choice, const BankOptions& options) {
  auto bank = std::make_shared<const MemoryBank>(MemoryBank::load(choice.file, choice.name));
  try {
    auto backbone = backbone_of(*bank, options);
    return std::make_unique<const Detector>(std::move(backbone), std::move(bank));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::Incompatible)
      throw Error(error.code(), quoted(choice.file) + " doesn't fit the weights" +
                                    (options.weights.empty() ? "" : " " + quoted(options.weights)) +
                                    ": " + error.what());
    if (error.code() == ErrorCode::InvalidArgument)
      throw Error(ErrorCode::Incompatible, quoted(choice.file) + " can't be used: " + error.what());
    throw;
  }
}

/// What lies beside the banks must be the same, as one picture has one truth.
MaskPtr open_mask(const MaskOptions& options, const std::vector<Choice>& chosen) {
  const MaskPtr mask = open_mask(options, chosen.front().file, chosen.front().name);
  if (!options.file.empty()) return mask;
  for (const Choice& choice : chosen) {
    const MaskPtr other = open_mask(options, choice.file, choice.name);
    if (!mask != !other || (mask && !(*mask == *other)))
      throw Error(ErrorCode::Incompatible,
                  "The masks beside the banks are not the same; --mask "
                  "names one for all of them.");
  }
  return mask;
}

}  // namespace

Ensemble open_ensemble(const BankOptions& options) {
  parse_device(options.device.device);  // first: it is the command line's fault, no file's
  const std::vector<Choice> chosen = choices(options);
  std::vector<std::unique_ptr<const Detector>> detectors;
  for (const Choice& choice : chosen) detectors.push_back(open_detector(choice, options));
  return {std::move(detectors), open_mask(options.mask, chosen)};
}

}  // namespace patchcore::cli
