// SPDX-License-Identifier: LGPL-2.1-or-later
// How long the built-in network takes beside ResNet-18 through layer3, in turn, from an input of
// 224 x 224 to the features of its layers.
//   bench-networks RESNET18.safetensors [ROUNDS]

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "backbone.hpp"

using namespace patchcore;

namespace {

constexpr int kSkipped = 77;
constexpr int64_t kSide = 224;
constexpr int kWarmUp = 5;

double milliseconds(const Backbone& network, const at::Tensor& input) {
  const auto start = std::chrono::steady_clock::now();
  network.features(input);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void measure(const char* weights, Precision precision, int64_t images, int rounds) {
  const std::array networks{Backbone::get({"builtin", "", {}, "cpu", precision}),
                            Backbone::get({"resnet18", weights, {}, "cpu", precision})};
  const at::Tensor input = at::rand({images, 3, kSide, kSide});
  std::array<std::vector<double>, 2> times;
  for (int round = -kWarmUp; round < rounds; ++round)
    for (size_t i = 0; i < networks.size(); ++i) {
      const double time = milliseconds(*networks[i], input);
      if (round >= 0) times[i].push_back(time / static_cast<double>(images));
    }
  const double ours = median(times[0]), theirs = median(times[1]);
  std::printf("%-9s %5d %8.2f %9.2f %7.2f\n", nick(precision), static_cast<int>(images), ours,
              theirs, ours / theirs);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || !std::filesystem::exists(argv[1])) {
    std::printf("The weights of ResNet-18 are not there.\n");
    return kSkipped;
  }
  const c10::InferenceMode no_gradients;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 100;
  std::printf("ms an image     builtin  resnet18   share\nprecision batch\n");
  for (const Precision precision : {Precision::Fp32, Precision::Bf16})
    for (const int64_t images : {1, 8}) measure(argv[1], precision, images, rounds);
}
