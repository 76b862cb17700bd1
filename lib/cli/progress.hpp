// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "monitor.hpp"

namespace patchcore::cli {

/// A line on a terminal that says how far work is; gone when the work is. Where standard error is
/// no terminal, nothing is written.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `what`: such as "Reading images"; fraction: 0..1.
  void show(const std::string& what, double fraction);
  void clear();

  /// Shows what it is told under that name. Must not outlive this.
  Monitor monitor(const std::string& what);

 private:
  bool terminal_;
  std::string line_;
};

}  // namespace patchcore::cli
