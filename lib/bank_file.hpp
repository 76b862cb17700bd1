// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "monitor.hpp"
#include "safetensors.hpp"

namespace patchcore {

/// One bank as a file holds it; docs/bank-format.md tells what the entries mean.
struct BankEntries {
  std::map<std::string, std::string> metadata;
  std::map<std::string, at::Tensor> tensors;
};

/// A file of banks open for reading: of one without a name, or of any number that have one. Knows
/// the names and leaves open what the banks hold, so that another one's are copied as they are.
/// Throws what SafetensorsReader throws, and Error(OpenRead) where a rule of the format is broken.
class BankFile {
 public:
  explicit BankFile(const std::filesystem::path& path, const Monitor& monitor = {});

  /// The format's number, "1" or "2".
  const std::string& format() const;

  /// In alphabetical order; none: the file is that of a bank without a name.
  const std::vector<std::string>& names() const { return names_; }
  bool holds(const std::string& name) const;

  /// What the file says of a bank: "" is the one without a name. Throws Error(NotFound), telling
  /// the names that there are.
  std::map<std::string, std::string> metadata(const std::string& name) const;
  bool contains(const std::string& name, const std::string& tensor) const;
  at::Tensor tensor(const std::string& name, const std::string& tensor);

  /// All of it, by name.
  std::map<std::string, BankEntries> banks();

 private:
  void read_names();
  [[noreturn]] void refuse(const std::string& why) const;

  std::filesystem::path path_;
  SafetensorsReader file_;
  std::vector<std::string> names_;
};

/// Throws Error(InvalidArgument) unless a bank may be called so: 1 to 64 of the letters A to Z and
/// a to z, digits, '.', '-' and '_', the first a letter or a digit. The empty name is none.
void check_bank_name(const std::string& name);

/// Is there a bank of this name? A file that can't be read counts as one that has it, so that
/// nobody takes it for free.
bool bank_exists(const std::filesystem::path& path, const std::string& name);

/// Throws Error(InvalidArgument) where add_banks() would, for what the file holds or for the name;
/// Error(OpenRead).
void check_room(const std::filesystem::path& path, const std::string& name);

/// Writes banks into a file, which may be there: with names they take the places of those that have
/// the same, and all others stay; one without a name comes alone, and is all that the file holds.
/// Several processes may add to one file at a time, save on network file systems that can't lock a
/// folder. Atomic; see write_safetensors. Throws Error(InvalidArgument) where a bank without a name
/// would replace those with names, or come to lie beside them; Error(OpenRead) where there is
/// something that is no file of banks.
void add_banks(const std::filesystem::path& path, const std::map<std::string, BankEntries>& banks,
               const Monitor& monitor = {});

/// Throws Error(NotFound) as BankFile does, and Error(InvalidArgument) where it is the only one.
void remove_bank(const std::filesystem::path& path, const std::string& name,
                 const Monitor& monitor = {});

}  // namespace patchcore
