// SPDX-License-Identifier: LGPL-2.1-or-later
// What the search for a picture's patches takes with a bank that knows positions, beside the same
// rows without them, in turn. Makes the bank of the scene generator's trays, with the built-in
// network.
//   bench-positions SCENE [ROUNDS]      SCENE: patchcore-scene

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "../files.hpp"
#include "batch.hpp"

using namespace patchcore;

namespace {

constexpr int kRadius = 2;

Settings settings() {
  Settings s = Settings::from_preset(Preset::Anomalib);
  s.resize = {320, 320};
  s.search_radius = kRadius;
  return s;
}

std::shared_ptr<const Backbone> network() {
  BackboneOptions options;
  options.device = "cpu";
  return Backbone::get(options);
}

MemoryBank fitted(const std::string& images, int64_t rows) {
  FitOptions options;
  options.bank_size = rows;
  options.folds = 0;
  Fit fit(network(), settings(), options);
  cli::fit_images(fit, nullptr, cli::require_images(images), [](const cli::Processed&) {});
  return fit.build();
}

Embedding embedding_of(const cli::ImageFile& file) {
  const cv::Mat rgb = cli::read_rgb(file.path);
  const at::Tensor pixels = at::from_blob(rgb.data, {1, rgb.rows, rgb.cols, 3}, at::kByte);
  return PatchEmbedding(settings())(network()->features(Preprocess::normalise(pixels)));
}

double milliseconds(const BankSearch& search, const Embedding& embedding) {
  const auto start = std::chrono::steady_clock::now();
  search.nearest(embedding, {}, 1);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

/// The mean over the cells of the share of the rows that is in their reach.
double share_in_reach(const MemoryBank& bank) {
  const Reach reach(bank.positions, bank.settings.search_radius);
  return reach.mask(at::arange(bank.positions.cells())).to(at::kFloat).mean().item<double>();
}

void measure(const std::string& scene, int64_t rows, int rounds) {
  const MemoryBank placed = fitted(scene + "/train/good", rows);
  MemoryBank plain = placed;
  plain.settings.search_radius = 0;
  const std::array searches{BankSearch(plain, at::kCPU), BankSearch(placed, at::kCPU)};
  std::array<std::vector<double>, 2> times;
  for (const auto& file : cli::require_images(scene + "/test")) {
    const Embedding embedding = embedding_of(file);
    for (int round = -2; round < rounds; ++round)
      for (size_t i = 0; i < searches.size(); ++i) {
        const double time = milliseconds(searches[i], embedding);
        if (round >= 0) times[i].push_back(time);
      }
  }
  std::printf("bank %d x %d, radius %d, in reach %.1f %% of the rows\n",
              static_cast<int>(placed.size()), static_cast<int>(placed.width()), kRadius,
              100 * share_in_reach(placed));
  std::printf("ms a picture of %d patches: plain %.2f, with positions %.2f, share %.2f\n",
              static_cast<int>(placed.positions.cells()), median(times[0]), median(times[1]),
              median(times[1]) / median(times[0]));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::puts("bench-positions SCENE [ROUNDS]"), 2;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 10;
  const c10::InferenceMode no_gradients;
  const TemporaryFolder folder;
  const std::string scene = folder.file("scene");
  const std::string draw = std::string(argv[1]) +
                           " trays --train 60 --test 10 --size 320x320 --seed 5 --output " + scene;
  if (std::system(draw.c_str()) != 0) return 1;
  for (const int64_t rows : {2000, 10000, 40000}) measure(scene, rows, rounds);
}
