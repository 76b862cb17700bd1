// SPDX-License-Identifier: LGPL-2.1-or-later
#include "golden.hpp"

#include "../shared_data.hpp"
#include "preprocess.hpp"

using namespace patchcore;

GoldenCase::GoldenCase(Preset preset, const std::string& file)
    : reader(shared_data() / "golden" / file), settings(Settings::from_preset(preset)) {
  BackboneOptions options;
  options.name = settings.backbone = "resnet18";
  options.weights = (shared_data() / "weights/resnet18.safetensors").string();
  options.device = "cpu";
  options.precision = Precision::Fp32;  // as the golden values
  backbone = Backbone::get(options);
  settings.layers = {"layer2", "layer3"};
  const at::Tensor rgb =
      reader.contains("test_rgb")
          ? reader.tensor("test_rgb")
          : SafetensorsReader(shared_data() / "golden/mtd-official.safetensors").tensor("test_rgb");
  input = {static_cast<int>(rgb.size(2)), static_cast<int>(rgb.size(1))};
  embedding = PatchEmbedding(settings)(backbone->features(Preprocess::normalise(rgb)));
}

std::shared_ptr<MemoryBank> bank_of(GoldenCase& golden, at::Tensor rows) {
  auto bank = std::make_shared<MemoryBank>();
  bank->rows = rows.to(at::kFloat);
  bank->neighbours = NearestNeighbour(bank->rows).own_neighbours(golden.settings.neighbours);
  bank->settings = golden.settings;
  bank->weights_id = golden.backbone->weights_id();
  return bank;
}

double relative_to_largest(const at::Tensor& ours, const at::Tensor& expected) {
  const at::Tensor difference = (ours.to(at::kDouble) - expected).abs();
  return (difference.max() / expected.abs().max()).item<double>();
}

double relative(const at::Tensor& ours, const at::Tensor& expected) {
  return ((ours.to(at::kDouble) - expected).abs() / expected.abs()).max().item<double>();
}
