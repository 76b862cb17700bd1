// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <iomanip>
#include <iostream>

#include "bank_file.hpp"
#include "commands.hpp"
#include "confidence.hpp"
#include "memory_bank.hpp"
#include "options.hpp"
#include "output.hpp"

namespace patchcore::cli {
namespace {

struct InfoCommand {
  std::string file;
  std::string bank_name;
  bool json = false;
};

/// How often normal frames raise an alarm, as far as it was seen.
Json describe(const Calibration& calibration) {
  const auto frames = static_cast<int64_t>(calibration.scores.size());
  const auto known = [&](bool is, const auto& value) { return is ? Json(value) : Json(nullptr); };
  const bool valid = frames > 0, timed = calibration.hours > 0;
  return {
      {"calibration_frames", known(valid, frames)},
      {"false_alarms", known(valid, calibration.false_alarms())},
      {"false_alarm_bound", known(valid, rate_bound(calibration.false_alarms(), frames))},
      {"calibration_hours", known(timed, calibration.hours)},
      {"calibration_alarms", known(timed, calibration.alarms)},
      {"alarms_per_hour_bound", known(timed, count_bound(calibration.alarms) / calibration.hours)}};
}

Json describe(const std::string& file, const std::string& name) {
  const MemoryBank bank = MemoryBank::load(file, name);
  const BankFile content(file);
  const auto metadata = content.metadata(name);
  const Calibration& calibration = bank.calibration;
  const auto calibrated = [&](const Json& v) { return calibration.valid() ? v : Json(nullptr); };
  const auto entry = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? Json(nullptr) : Json(found->second);
  };
  Json info{{"file", file}};
  if (!name.empty()) info["name"] = name;
  info.update(Json{{"id", bank.id},
                   {"format", content.format()},
                   {"library_version", entry("library_version")},
                   {"rows", bank.size()},
                   {"width", bank.width()},
                   {"frames", bank.frames},
                   {"threshold", calibrated(calibration.threshold)},
                   {"pixel_threshold", calibrated(calibration.pixel_threshold)},
                   {"median", calibrated(calibration.median)},
                   {"threshold_method", calibrated(calibration.method)}});
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

void print_one(const InfoCommand& command) {
  constexpr size_t kColumn = 23;  // two more than the longest key
  const Json info = describe(command.file, command.bank_name);
  command.json ? print_indented(std::cout, info) : print_text(info, kColumn);
}

/// Of a file that holds several.
void print_all(const InfoCommand& command, const BankFile& content) {
  Json banks = Json::array();
  for (const std::string& name : content.names()) banks.push_back(describe(command.file, name));
  if (command.json)
    return print_indented(
        std::cout, Json{{"file", command.file}, {"format", content.format()}, {"banks", banks}});
  constexpr int kWidth = 24;
  for (const Json& bank : banks)
    std::cout << std::left << std::setw(kWidth) << bank["name"].get<std::string>() << ' '
              << bank["id"].get<std::string>() << "  " << bank["rows"] << " x " << bank["width"]
              << ", " << bank["settings"]["backbone"].get<std::string>() << ", "
              << (bank["threshold"].is_null()
                      ? "no threshold"
                      : "threshold " + digits(bank["threshold"].get<double>()))
              << '\n';
}

void run(const InfoCommand& command) {
  const BankFile content(command.file);
  if (command.bank_name.empty() && !content.names().empty())
    print_all(command, content);
  else
    print_one(command);
  finish_output();
}

void add_info(CLI::App& bank) {
  auto command = std::make_shared<InfoCommand>();
  CLI::App& info = *bank.add_subcommand("info", "Say what a bank holds and how it was made");
  info.add_option("file", command->file, "The bank")->required()->type_name("FILE");
  add_bank_name(info, command->bank_name, "Which one, of a file that holds several [all]");
  info.add_flag("--json", command->json, "A JSON object");
  info.footer("Example:\n  patchcore bank info part.safetensors");
  info.callback([command] { run(*command); });
}

}  // namespace

void add_bank(CLI::App& app) {
  CLI::App& bank = *app.add_subcommand(
      "bank", "Look into banks, make one of another program's, or put several into one file");
  bank.require_subcommand(1);
  bank.footer("Example:\n  patchcore bank info part.safetensors");
  add_info(bank);
  add_bank_import(bank);
  add_bank_files(bank);
}

}  // namespace patchcore::cli
