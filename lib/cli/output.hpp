// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace patchcore::cli {

/// Keys stay in the order in which they were set.
using Json = nlohmann::ordered_json;

/// One value on one line, or over many lines for a person too. Bytes that are no UTF-8, as a file's
/// name may hold, are replaced.
void print_line(std::ostream& out, const Json& value);
void print_indented(std::ostream& out, const Json& value);

/// Cells under headings, in columns as wide as they need; all columns but the first are numbers.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Six significant digits.
std::string digits(double value);

/// Asks, before long work, whether its result can be written to `file`; creates and changes
/// nothing. Throws Error(Write) that names the file and the reason: no such folder, one that can't
/// be written to, a folder or a device of that name.
void check_writable(const std::filesystem::path& file);

/// Writes out what was printed. Throws Error(Write) where not all of it arrived.
void finish_output();

}  // namespace patchcore::cli
