// SPDX-License-Identifier: LGPL-2.1-or-later
// What the program makes. All throw std::runtime_error with the name of the file that could not be
// written or read.
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

// The same, of trays.
void write_trays(const DatasetOptions& options);

struct FlawOptions {
  std::string images;     // folder with pictures of good products
  std::string output;     // folder
  double held_out = 0.3;  // share of the pictures that isn't learnt from; half of them get a flaw
  std::uint64_t seed = 0;
};

// The same layout as a dataset, made of somebody's own good pictures.
void write_flaws(const FlawOptions& options);

}  // namespace scene
