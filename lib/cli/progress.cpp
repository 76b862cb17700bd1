// SPDX-License-Identifier: LGPL-2.1-or-later
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace patchcore::cli {

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::show(const std::string& what, double fraction) {
  if (!terminal_) return;
  const int percent = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * 100);
  const std::string line = what + ": " + std::to_string(percent) + " %";
  if (line == line_) return;
  clear();
  std::cerr << line << std::flush;
  line_ = line;
}

void Progress::clear() {
  if (!line_.empty()) std::cerr << "\r\033[K" << std::flush;
  line_.clear();
}

Monitor Progress::monitor(const std::string& what) {
  return {[this, what](double fraction) { show(what, fraction); }, {}};
}

}  // namespace patchcore::cli
