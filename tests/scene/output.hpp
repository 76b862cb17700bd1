// SPDX-License-Identifier: LGPL-2.1-or-later
// The two things that the program makes. Both throw std::runtime_error with the name of the file
// that could not be written.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>

namespace scene {

struct VideoOptions {
  std::string output;  // AVI file
  std::string truth;   // CSV file; empty for none
  std::string masks;   // folder for PNG files; empty for none
  int frames = 120;
  int fps = 25;
  cv::Size size{640, 360};
  std::uint64_t seed = 0;
  double defects = 0;  // share of the parts that carry one
};

void write_video(const VideoOptions& options);

struct DatasetOptions {
  std::string output;  // folder
  int train = 60;      // good pictures to learn from
  int test = 12;       // pictures for good and for each kind of defect
  cv::Size size{256, 256};
  std::uint64_t seed = 0;
};

void write_dataset(const DatasetOptions& options);

}  // namespace scene
