// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bank_file.hpp"

#include <algorithm>

#include "folder_lock.hpp"
#include "lists.hpp"

namespace patchcore {
namespace {

constexpr const char* kFormatKey = "patchcore_format";
constexpr const char* kNamesKey = "patchcore_banks";
constexpr const char* kOneBank = "1";
constexpr const char* kNamedBanks = "2";
constexpr char kSeparator = '/';
constexpr size_t kLongestName = 64;

bool is_there(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::exists(path, none);
}

std::string quoted(const std::filesystem::path& path) { return "\"" + path.string() + "\""; }

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool may_be_a_name(const std::string& name) {
  const auto allowed = [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kLongestName && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::string prefix_of(const std::string& name) { return name.empty() ? "" : name + kSeparator; }

/// Those behind a prefix, without it.
template <typename Value>
std::map<std::string, Value> behind(const std::string& prefix,
                                    const std::map<std::string, Value>& all) {
  std::map<std::string, Value> found;
  for (auto entry = all.lower_bound(prefix); entry != all.end() && entry->first.starts_with(prefix);
       ++entry)
    found.emplace(entry->first.substr(prefix.size()), entry->second);
  return found;
}

using Banks = std::map<std::string, BankEntries>;

void write(const std::filesystem::path& path, const Banks& banks, const Monitor& monitor) {
  BankEntries file;
  std::vector<std::string> names;
  for (const auto& [name, bank] : banks) {
    const std::string prefix = prefix_of(name);
    for (const auto& [key, value] : bank.metadata) file.metadata[prefix + key] = value;
    for (const auto& [key, value] : bank.tensors) file.tensors[prefix + key] = value;
    if (!name.empty()) names.push_back(name);
  }
  file.metadata[kFormatKey] = names.empty() ? kOneBank : kNamedBanks;
  if (!names.empty()) file.metadata[kNamesKey] = joined(names);
  write_safetensors(path, file.metadata, file.tensors, monitor);
}

/// What a file holds; nothing where there is none.
Banks banks_in(const std::filesystem::path& path, const Monitor& monitor) {
  return is_there(path) ? BankFile(path, monitor).banks() : Banks();
}

/// Names of a file that may be anything: none where it is no file of banks.
std::vector<std::string> names_if_any(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return {};
  try {
    return BankFile(path).names();
  } catch (const Error& error) {
    return {};
  }
}

}  // namespace

BankFile::BankFile(const std::filesystem::path& path, const Monitor& monitor)
    : path_(path), file_(path, monitor) {
  read_names();
}

void BankFile::read_names() {
  const auto entry = [&](const char* key) -> const std::string& {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end())
      refuse("the entry \"" + std::string(key) + "\" is missing.");
    return found->second;
  };
  const std::string& format = entry(kFormatKey);
  if (format == kOneBank) return;
  if (format != kNamedBanks)
    refuse("its format is \"" + format + "\", known are \"" + kOneBank + "\" and \"" + kNamedBanks +
           "\".");
  names_ = split(entry(kNamesKey));
  if (names_.empty() || !std::all_of(names_.begin(), names_.end(), may_be_a_name))
    refuse("the entry \"" + std::string(kNamesKey) + "\" is no list of names.");
  std::sort(names_.begin(), names_.end());
  if (std::adjacent_find(names_.begin(), names_.end()) != names_.end())
    refuse("it names a bank twice.");
}

void BankFile::refuse(const std::string& why) const {
  throw Error(ErrorCode::OpenRead, quoted(path_) + " is not a PatchCore bank: " + why);
}

const std::string& BankFile::format() const { return file_.metadata().at(kFormatKey); }

bool BankFile::holds(const std::string& name) const {
  return name.empty() ? names_.empty() : std::binary_search(names_.begin(), names_.end(), name);
}

std::map<std::string, std::string> BankFile::metadata(const std::string& name) const {
  if (!name.empty()) check_bank_name(name);
  if (holds(name)) return behind(prefix_of(name), file_.metadata());
  const std::string wanted = name.empty() ? "no bank without a name" : "no bank \"" + name + "\"";
  const std::string there = names_.empty() ? "one without a name" : joined(names_);
  throw Error(ErrorCode::NotFound, quoted(path_) + " holds " + wanted + ", but " + there + ".");
}

bool BankFile::contains(const std::string& name, const std::string& tensor) const {
  return file_.contains(prefix_of(name) + tensor);
}

at::Tensor BankFile::tensor(const std::string& name, const std::string& tensor) {
  return file_.tensor(prefix_of(name) + tensor);
}

Banks BankFile::banks() {
  Banks all;
  for (const std::string& name : names_.empty() ? std::vector<std::string>{""} : names_) {
    BankEntries bank{metadata(name), {}};
    const std::string prefix = prefix_of(name);
    for (const std::string& key : file_.names())
      if (key.starts_with(prefix)) bank.tensors[key.substr(prefix.size())] = file_.tensor(key);
    all[name] = std::move(bank);
  }
  return all;
}

void check_bank_name(const std::string& name) {
  if (!may_be_a_name(name))
    throw Error(ErrorCode::InvalidArgument,
                "No bank can be called \"" + name +
                    "\": a name has 1 to 64 letters, digits, '.', '-' and '_', and begins with a "
                    "letter or a digit.");
}

bool bank_exists(const std::filesystem::path& path, const std::string& name) {
  if (!is_there(path)) return false;
  if (name.empty()) return true;
  try {
    const BankFile file(path);
    return file.names().empty() || file.holds(name);
  } catch (const Error&) {
    return true;
  }
}

void check_room(const std::filesystem::path& path, const std::string& name) {
  if (name.empty()) {
    const auto names = names_if_any(path);
    if (names.empty()) return;
    throw Error(ErrorCode::InvalidArgument, quoted(path) + " holds the banks " + joined(names) +
                                                ": the one to write needs a name too.");
  }
  check_bank_name(name);
  if (is_there(path) && BankFile(path).names().empty())
    throw Error(ErrorCode::InvalidArgument,
                quoted(path) + " holds a bank without a name, beside which \"" + name +
                    "\" can't be: give that one a name first (patchcore bank pack).");
}

void add_banks(const std::filesystem::path& path, const Banks& banks, const Monitor& monitor) {
  const FolderLock lock(path, monitor);
  for (const auto& [name, bank] : banks)
    if (!name.empty()) check_bank_name(name);
  check_room(path, banks.begin()->first);  // where one has a name, all have
  Banks all = banks;
  if (!banks.contains("")) all.merge(banks_in(path, monitor));
  write(path, all, monitor);
}

void remove_bank(const std::filesystem::path& path, const std::string& name,
                 const Monitor& monitor) {
  const FolderLock lock(path, monitor);
  BankFile file(path, monitor);
  file.metadata(name);  // is it there?
  Banks all = file.banks();
  if (all.size() == 1)
    throw Error(ErrorCode::InvalidArgument,
                "\"" + name + "\" is the only bank of " + quoted(path) + ": delete the file.");
  all.erase(name);
  write(path, all, monitor);
}

}  // namespace patchcore
