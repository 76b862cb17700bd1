// SPDX-License-Identifier: LGPL-2.1-or-later
// The scene's only source of chance. The standard fixes the output of std::mt19937_64 but not
// that of its distributions, so these are written out here: the same seed draws the same
// numbers with every standard library.
#pragma once

#include <cstdint>
#include <random>

namespace scene {

// What a sequence of random numbers is for. Parts of different streams have nothing in common.
enum class Stream : std::uint64_t {
  belt = 1,
  light,
  sensor,
  frame_noise,
  schedule,
  video_part,
  train_part,
  test_part,
  still_light,
  still_noise,
  defect,
  split,
  flaw,
  tray,
};

// A seed of its own for item `index` of a stream (the finaliser of SplitMix64, chained).
inline std::uint64_t derive_seed(std::uint64_t seed, Stream stream, std::uint64_t index = 0) {
  const auto mix = [](std::uint64_t z) {
    z += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  };
  return mix(mix(mix(seed) ^ static_cast<std::uint64_t>(stream)) ^ index);
}

// Draw at most once in the arguments of a call: compilers differ in which they evaluate first.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

  // Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // A whole number from 0 to count - 1; count is at least 1.
  int below(int count) {
    return static_cast<int>(((engine_() >> 32) * static_cast<std::uint64_t>(count)) >> 32);
  }

  // -1 or +1.
  double sign() { return below(2) == 0 ? -1.0 : 1.0; }

  // Nearly normal, mean 0 and variance 1: the sum of the four 16-bit numbers in one draw. It
  // needs no logarithm or cosine (which differ between C libraries) and stays within +-3.46, so
  // that a normal part never strays far.
  double normal() {
    const std::uint64_t bits = engine_();
    const double sum = static_cast<double>((bits & 0xffffU) + ((bits >> 16) & 0xffffU) +
                                           ((bits >> 32) & 0xffffU) + (bits >> 48));
    constexpr double kMean = 4 * 65535.0 / 2;
    constexpr double kDeviation = 37837.2;  // sqrt(4 * (65536^2 - 1) / 12)
    return (sum - kMean) / kDeviation;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace scene
