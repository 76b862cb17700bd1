// SPDX-License-Identifier: LGPL-2.1-or-later
// Banks of several products in one file: into it, out of it, and away.
#include <CLI/CLI.hpp>
#include <iostream>

#include "bank_entries.hpp"
#include "bank_file.hpp"
#include "commands.hpp"
#include "memory_bank.hpp"
#include "options.hpp"
#include "output.hpp"

namespace patchcore::cli {
namespace {

struct PackCommand {
  std::string file;
  std::vector<std::string> sources;  ///< NAME=FILE each
};

struct OneBankCommand {
  std::string file;
  std::string bank_name;
  std::string output;  ///< of extract
};

/// "cap=cap.safetensors"; throws Error(InvalidArgument).
std::pair<std::string, std::string> source_of(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals + 1 == text.size())
    throw Error(ErrorCode::InvalidArgument, quoted(text) + " is not NAME=FILE.");
  const std::string name = text.substr(0, equals);
  check_bank_name(name);
  return {name, text.substr(equals + 1)};
}

void tell(const std::string& file) {
  std::cout << file << ':';
  const BankFile content(file);
  for (const std::string& name : content.names()) std::cout << ' ' << name;
  std::cout << '\n';
  finish_output();
}

void pack(const PackCommand& command) {
  check_writable(command.file);
  std::map<std::string, BankEntries> banks;
  for (const std::string& source : command.sources) {
    const auto [name, file] = source_of(source);
    if (!banks.emplace(name, entries_of(MemoryBank::load(file))).second)
      throw Error(ErrorCode::InvalidArgument, "Two banks are called \"" + name + "\".");
  }
  add_banks(command.file, banks);
  tell(command.file);
}

void extract(const OneBankCommand& command) {
  check_writable(command.output);
  MemoryBank::load(command.file, command.bank_name).save(command.output);
}

void add_one_bank(CLI::App& app, OneBankCommand& command) {
  app.add_option("file", command.file, "The banks")->required()->type_name("FILE");
  add_bank_name(app, command.bank_name, "Which one of them").required();
}

void add_pack(CLI::App& bank) {
  auto command = std::make_shared<PackCommand>();
  CLI::App& app = *bank.add_subcommand(
      "pack", "Put banks of several products into one file, beside those that are there");
  app.add_option("--output", command->file,
                 "The file to put them into; made where there is none, and a bank of the same name "
                 "is replaced")
      ->required()
      ->type_name("FILE");
  app.add_option("banks", command->sources, "The banks, each with the name that it is to have")
      ->required()
      ->type_name("NAME=FILE");
  app.footer(
      "Example:\n"
      "  patchcore bank pack --output products.safetensors cap=cap.safetensors "
      "bottle=bottle.safetensors");
  app.callback([command] { pack(*command); });
}

void add_extract(CLI::App& bank) {
  auto command = std::make_shared<OneBankCommand>();
  CLI::App& app = *bank.add_subcommand("extract", "Copy a bank out of a file that holds several");
  add_one_bank(app, *command);
  app.add_option("--output", command->output, "The file to write, of that bank alone")
      ->required()
      ->type_name("FILE");
  app.footer(
      "Example:\n"
      "  patchcore bank extract products.safetensors --bank-name cap --output cap.safetensors");
  app.callback([command] { extract(*command); });
}

void add_remove(CLI::App& bank) {
  auto command = std::make_shared<OneBankCommand>();
  CLI::App& app = *bank.add_subcommand("remove", "Take a bank out of a file that holds several");
  add_one_bank(app, *command);
  app.footer("Example:\n  patchcore bank remove products.safetensors --bank-name cap");
  app.callback([command] {
    check_writable(command->file);
    remove_bank(command->file, command->bank_name);
    tell(command->file);
  });
}

}  // namespace

void add_bank_files(CLI::App& bank) {
  add_pack(bank);
  add_extract(bank);
  add_remove(bank);
}

}  // namespace patchcore::cli
