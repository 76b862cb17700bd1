// SPDX-License-Identifier: LGPL-2.1-or-later
// What arithmetic a network gets, and how far from fp32 it is.

#include <fstream>
#include <set>
#include <sstream>

#include "detector.hpp"
#include "network_checks.hpp"
#include "sample_bank.hpp"

using namespace patchcore;

namespace {

/// As the kernel tells: of x86 "flags", of Arm "Features".
std::set<std::string> cpu_features() {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> features;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) features.insert(word);
  }
  return features;
}

std::string best() {
  const auto features = cpu_features();
  for (const char* name : {"avx512_bf16", "amx_bf16", "bf16"})
    if (features.contains(name)) return "bf16";
  return "fp32";
}

std::shared_ptr<const Backbone> network(const std::string& name, const std::string& weights,
                                        Precision precision) {
  BackboneOptions options = network_options(name, weights);
  options.precision = precision;
  return Backbone::get(options);
}

std::string chosen(const std::string& name, const std::string& weights, Precision precision) {
  return nick(network(name, weights, precision)->options().precision);
}

/// The largest difference in parts of fp32's root mean square, over the usual layers.
double distance_from_fp32(const std::string& net, const NoiseWeights& weights,
                          Precision precision) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, weights.tensors);
  const at::Tensor input = network_input();
  const auto exact = network(net, folder / "w", Precision::Fp32)->features(input);
  const auto rounded = network(net, folder / "w", precision)->features(input);
  double largest = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const at::Tensor difference = rounded[i].to(at::kFloat) - exact[i];
    const double scale = exact[i].square().mean().sqrt().item<double>();
    largest = std::max(largest, difference.square().mean().sqrt().item<double>() / scale);
  }
  return largest;
}

}  // namespace

START_TEST(auto_is_what_the_cpu_has_instructions_for) {
  const TemporaryFolder folder;
  write_safetensors(folder / "r", {}, ResNetWeights("resnet18", 3).tensors);
  write_safetensors(folder / "m", {}, MobileNetWeights(13).tensors);
  assert_text(chosen("resnet18", folder / "r", Precision::Auto), best());
  assert_text(chosen("mobilenet_v2", folder / "m", Precision::Auto), best());
  assert_text(chosen("builtin", "", Precision::Auto), best());
}
END_TEST

START_TEST(a_precision_that_is_named_is_taken) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  for (const auto precision : {Precision::Fp32, Precision::Bf16, Precision::Fp16})
    assert_text(chosen("resnet18", folder / "w", precision), nick(precision));
}
END_TEST

START_TEST(a_bank_of_another_precision_is_used_with_this_machines) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  MemoryBank bank = sample();
  bank.settings.backbone = "resnet18";
  bank.settings.layers = {"layer2", "layer3"};
  for (const char* fitted : {"fp32", "bf16"}) {
    bank.precision = fitted;
    const auto options = backbone_options_for(bank, folder / "w", "cpu", Precision::Auto);
    assert_text(nick(Backbone::get(options)->options().precision), best());
  }
}
END_TEST

// bf16 keeps 8 bits of a number, fp16 11: a rounding is wrong by 1/512 or 1/4096 at most. Some
// twenty of them lie behind each other here.
START_TEST(features_in_half_precision_are_those_of_fp32_but_for_rounding) {
  for (const auto& [precision, bound] :
       {std::pair(Precision::Bf16, 20.0 / 512), {Precision::Fp16, 20.0 / 4096}}) {
    ck_assert_double_le(distance_from_fp32("resnet18", ResNetWeights("resnet18", 3), precision),
                        bound);
    ck_assert_double_le(distance_from_fp32("mobilenet_v2", MobileNetWeights(13), precision), bound);
  }
  ck_assert_double_le(
      distance_from_fp32("wide_resnet50_2", ResNetWeights("wide_resnet50_2", 3), Precision::Bf16),
      2 * 20.0 / 512);
}
END_TEST

// The weights are laid out for one size of input; others must not see it.
START_TEST(every_size_of_input_gives_what_its_parts_give) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 1).tensors);
  for (const auto precision : {Precision::Fp32, Precision::Bf16}) {
    BackboneOptions options = network_options("resnet18", folder / "w", {"layer1"});
    options.precision = precision;
    const auto net = Backbone::get(options);
    const at::Tensor wide = float_noise("wide", {1, 3, 96, 448});
    const at::Tensor whole = net->features(wide)[0].to(at::kFloat);
    // layer1 sees 43 pixels around: this far from the cut nothing changes.
    const at::Tensor half = net->features(wide.slice(3, 0, 224))[0].to(at::kFloat);
    const at::Tensor same = whole.slice(3, 0, 40), part = half.slice(3, 0, 40);
    ck_assert_double_le(relative_error(part, same), precision == Precision::Fp32 ? 1e-5 : 1e-2);
  }
}
END_TEST

// Each of LibTorch's threads may take an image; another time one frame has all threads.
START_TEST(an_images_features_in_bf16_do_not_depend_on_its_batch) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  const auto net = network("resnet18", folder / "w", Precision::Bf16);
  const at::Tensor batch = float_noise("batch", {3, 3, 64, 64});
  const auto together = net->features(batch);
  for (int64_t i = 0; i < 3; ++i) {
    const auto alone = net->features(batch.slice(0, i, i + 1));
    for (size_t layer = 0; layer < 2; ++layer)
      ck_assert(together[layer].slice(0, i, i + 1).equal(alone[layer]));
  }
}
END_TEST

int main() {
  Suite* suite = suite_create("precision");
  TCase* tests = tcase_create("precision");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, auto_is_what_the_cpu_has_instructions_for);
  tcase_add_test(tests, a_precision_that_is_named_is_taken);
  tcase_add_test(tests, a_bank_of_another_precision_is_used_with_this_machines);
  tcase_add_test(tests, features_in_half_precision_are_those_of_fp32_but_for_rounding);
  tcase_add_test(tests, every_size_of_input_gives_what_its_parts_give);
  tcase_add_test(tests, an_images_features_in_bf16_do_not_depend_on_its_batch);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
