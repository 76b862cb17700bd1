// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "support.hpp"

/// Six rows of four values, with no field at its default.
inline patchcore::MemoryBank sample() {
  using namespace patchcore;
  MemoryBank bank;
  bank.rows = float_noise("bank", {6, 4});
  bank.neighbours = NearestNeighbour(bank.rows).own_neighbours(3);
  bank.settings = Settings::from_preset(Preset::Article);
  bank.settings.backbone = "resnet18";
  bank.settings.layers = {"layer1", "layer3"};
  bank.settings.resize = {320, 0};
  bank.settings.map_sigma = 0.1;
  bank.settings.neighbours = 3;
  bank.calibration = Calibration::from_frames({{0.3f, 3.0f}, {0.1f, 1.0f}, {0.2f, 2.0f}}, {});
  bank.calibration.method = "3 folds";
  bank.weights_id = "0123abcd";
  bank.weights_location = "/tmp/Ma\xc3\x9f, \"w\".safetensors";
  bank.precision = "bf16";
  bank.seed = ~uint64_t{0};
  bank.frames = 123;
  return bank;
}
