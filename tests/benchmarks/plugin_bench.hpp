// SPDX-License-Identifier: LGPL-2.1-or-later
// What the benchmarks of parts of the plugin share.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "../../gst-plugin/library.hpp"

/// Opens libpatchcore, or ends the program.
inline void require_library() {
  char* reason = nullptr;
  if (gstpatchcore::open_library(&reason)) return;
  std::fprintf(stderr, "%s\n", reason);
  std::exit(EXIT_FAILURE);
}

/// The median and the worst of some rounds, in ms.
inline std::string timed(int rounds, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::sort(times.begin(), times.end());
  char text[64];
  std::snprintf(text, sizeof text, "%8.2f %8.2f", times[times.size() / 2], times.back());
  return text;
}
