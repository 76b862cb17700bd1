// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "detector.hpp"
#include "fit.hpp"
#include "mask.hpp"

namespace patchcore {

/// One prepared frame and who wants it: exactly one of detector and fit, of rgb, rgb_floats and
/// cuda_values. The last of them in all requests of a batch or in none, only with a network on a
/// GPU, and not with a fit that has views.
struct Request {
  const uint8_t* rgb = nullptr;  ///< input.height x input.width x 3, from Preprocess::resize
  const Detector* detector = nullptr;
  Fit* fit = nullptr;
  Result result;                          ///< filled where there is a detector
  std::optional<double> keep_above = {};  ///< see Detector::score
  const float* rgb_floats = nullptr;      ///< as rgb, from Preprocess::resize too
  const float* cuda_values = nullptr;     ///< on a GPU, from cuda::resize(), Normalised
  const Mask* mask = nullptr;             ///< of the frame; null: all of it counts
  Rectangle region = {};                  ///< where the input lies in the frame; only with a mask
};

/// Runs one batch: the backbone, then each request's own embedding, bank and scoring. On a CPU the
/// images that can occupy its threads go one a thread from end to end, else the backbone takes them
/// in a single pass. No input is read any more when it returns. All requests' detectors and fits
/// must have been made with `backbone`. Safe from any thread.
void infer(const Backbone& backbone, Size input, std::span<Request> requests);

}  // namespace patchcore
