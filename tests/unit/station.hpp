// SPDX-License-Identifier: LGPL-2.1-or-later
// A small inspection station: pictures of a striped surface, fits and detectors of the built-in
// network.
#pragma once

#include <cmath>

#include "fit.hpp"
#include "inference.hpp"
#include "support.hpp"

namespace station {

using namespace patchcore;

inline constexpr Size kInput{96, 64};
inline constexpr int kFrames = 8;

using Picture = std::vector<uint8_t>;

/// Slanted stripes whose phase and grain depend on `serial`.
inline Picture normal(int serial) {
  const at::Tensor grain = noise("grain " + std::to_string(serial), {kInput.height, kInput.width});
  const auto grains = grain.accessor<double, 2>();
  const double phase = grains[0][0] * 3;
  Picture rgb;
  for (int y = 0; y < kInput.height; ++y)
    for (int x = 0; x < kInput.width; ++x) {
      const double value = 128 + 50 * std::sin(x * 0.7 + y * 0.3 + phase) + 5 * grains[y][x];
      for (const int offset : {0, 20, -20}) rgb.push_back(static_cast<uint8_t>(value + offset));
    }
  return rgb;
}

/// The same with a checkered block of another colour at x 56..72, y 24..40.
inline Picture defective(int serial) {
  Picture rgb = normal(serial);
  for (int y = 24; y < 40; ++y)
    for (int x = 56; x < 72; ++x) {
      uint8_t* pixel = &rgb[(static_cast<size_t>(y) * kInput.width + x) * 3];
      pixel[0] = (x / 2 + y / 2) % 2 ? 230 : 20;
      pixel[1] = 30;
      pixel[2] = 200;
    }
  return rgb;
}

inline std::shared_ptr<const Backbone> builtin() {
  BackboneOptions options;
  options.device = "cpu";
  return Backbone::get(options);
}

inline Settings settings() {
  Settings s = Settings::from_preset(Preset::Anomalib);
  s.resize = {kInput.width, kInput.height};
  return s;
}

inline void infer_one(const Picture& picture, const Detector* detector, Fit* fit, Result* result) {
  Request request{picture.data(), detector, fit, {}};
  infer(*builtin(), kInput, {&request, 1});
  if (result) *result = request.result;
}

inline void add_normal(Fit& fit, int frames = kFrames) {
  for (int i = 0; i < frames; ++i) infer_one(normal(i), nullptr, &fit, nullptr);
}

inline MemoryBank built(const FitOptions& options = {}, int frames = kFrames) {
  Fit fit(builtin(), settings(), options);
  add_normal(fit, frames);
  return fit.build();
}

inline Detector detector_of(MemoryBank bank) {
  return {builtin(), std::make_shared<MemoryBank>(std::move(bank))};
}

inline Result score(const Detector& detector, const Picture& picture) {
  Result result;
  infer_one(picture, &detector, nullptr, &result);
  return result;
}

}  // namespace station
