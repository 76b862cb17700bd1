// SPDX-License-Identifier: LGPL-2.1-or-later
#include "opening.hpp"

#include "error.hpp"
#include "lists.hpp"

namespace patchcore::cli {
namespace {

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
    const bool same = mask && other ? *mask == *other : mask == other;
    if (!same)
      throw Error(ErrorCode::Incompatible,
                  "The masks beside the banks are not the same; --mask "
                  "names one for all of them.");
  }
  return mask;
}

}  // namespace

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

Ensemble open_ensemble(const BankOptions& options) {
  parse_device(options.device.device);  // first: it is the command line's fault, no file's
  const std::vector<Choice> chosen = choices(options);
  std::vector<std::unique_ptr<const Detector>> detectors;
  for (const Choice& choice : chosen) detectors.push_back(open_detector(choice, options));
  return {std::move(detectors), open_mask(options.mask, chosen)};
}

}  // namespace patchcore::cli
