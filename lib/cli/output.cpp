// SPDX-License-Identifier: LGPL-2.1-or-later
#include "output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "error.hpp"

namespace patchcore::cli {
namespace {

namespace fs = std::filesystem;

void print(std::ostream& out, const Json& value, int indent) {
  out << value.dump(indent, ' ', false, Json::error_handler_t::replace) << '\n';
}

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::Write, "Can't write \"" + file.string() + "\": " + why + ".");
}

}  // namespace

void print_line(std::ostream& out, const Json& value) { print(out, value, -1); }

void print_indented(std::ostream& out, const Json& value) { print(out, value, 2); }

void Table::print(std::ostream& out) const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      out << (i == 0 ? row[i] + space : "  " + space + row[i]);
    }
    out << '\n';
  }
}

std::string digits(double value) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

void check_writable(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::is_directory(status)) refuse(file, "it is a folder");
  // A new file is renamed to its place: /dev/null would be a plain file afterwards.
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(file, "it is not a regular file");
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error))
    refuse(file, "there is no folder \"" + folder.string() + "\"");
  if (file.filename().empty()) refuse(file, "it names no file");
  if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse(file, std::strerror(errno));
}

void finish_output() {
  errno = 0;
  if (std::cout.flush()) return;
  throw Error(ErrorCode::Write, std::string("Can't write to standard output: ") +
                                    std::strerror(errno ? errno : EIO) + ".");
}

}  // namespace patchcore::cli
