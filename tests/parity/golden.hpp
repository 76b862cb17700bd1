// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "backbone.hpp"
#include "detector.hpp"
#include "patch_embedding.hpp"
#include "safetensors.hpp"

/// What another implementation computed on four pictures, and what ours makes of the same.
struct GoldenCase {
  explicit GoldenCase(patchcore::Preset preset, const std::string& file);

  at::Tensor expected(const std::string& name) { return reader.tensor(name).to(at::kDouble); }

  patchcore::SafetensorsReader reader;
  patchcore::Settings settings;
  std::shared_ptr<const patchcore::Backbone> backbone;
  patchcore::Size input;
  patchcore::Embedding embedding;  ///< ours, of the file's test_rgb
};

/// The bank of a file as a bank of ours.
std::shared_ptr<patchcore::MemoryBank> bank_of(GoldenCase& golden, at::Tensor rows);

/// Largest absolute difference as a share of the largest expected entry.
double relative_to_largest(const at::Tensor& ours, const at::Tensor& expected);

/// Largest |ours - expected| / |expected|.
double relative(const at::Tensor& ours, const at::Tensor& expected);
