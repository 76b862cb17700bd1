// SPDX-License-Identifier: LGPL-2.1-or-later
// Data sets and reports of them, for the tests of patchcore evaluate --report.
#pragma once

#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

namespace workshop {

/// The shared data set and one more picture with a spot, the same but for its class and name.
inline std::filesystem::path dataset_with(const std::string& kind, const std::string& stem) {
  const std::filesystem::path data = fresh();
  std::filesystem::copy(shared("data"), data, std::filesystem::copy_options::recursive);
  for (const char* part : {"test", "ground_truth"})
    std::filesystem::create_directories(data / part / kind);
  std::filesystem::copy_file(shared("data/test/spot/0.png"),
                             data / "test" / kind / (stem + ".png"));
  std::filesystem::copy_file(shared("data/ground_truth/spot/0_mask.png"),
                             data / "ground_truth" / kind / (stem + "_mask.png"));
  return data;
}

/// Evaluates with --report and --json and returns what --json said.
inline nlohmann::json report(const std::filesystem::path& file, const std::filesystem::path& data,
                             const Arguments& more = {},
                             const std::string& bank = shared("bank.safetensors")) {
  const Arguments arguments{"evaluate", "--json",      "--bank",    bank,
                            "--report", file.string(), "--dataset", data.string()};
  return nlohmann::json::parse(output_of(join(arguments, more)));
}

}  // namespace workshop
