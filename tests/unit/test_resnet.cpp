// SPDX-License-Identifier: LGPL-2.1-or-later
// Residual networks against torchvision (network_fixture.hpp), and weights that are none.

#include <sys/stat.h>

#include <chrono>

#include "detector.hpp"
#include "network_checks.hpp"
#include "sample_bank.hpp"

using namespace patchcore;

namespace {

using Tensors = std::map<std::string, at::Tensor>;

/// The smallest network: resnet18 to layer1.
Tensors small() { return ResNetWeights("resnet18", 1).tensors; }

std::shared_ptr<const Backbone> load_small(const std::filesystem::path& path) {
  return Backbone::get(network_options("resnet18", path, {"layer1"}));
}

/// The small network's weights with one changed must be refused with the file's and its name.
void assert_parameter_refused(const std::string& name, const std::string& what,
                              const at::Tensor& value) {
  const TemporaryFolder folder;
  Tensors tensors = small();
  if (value.defined())
    tensors[name] = value;
  else
    tensors.erase(name);
  write_safetensors(folder / "w", {}, tensors);
  assert_refused(ErrorCode::OpenRead, {(folder / "w").string(), name, "resnet18"},
                 name + " " + what, [&] { load_small(folder / "w"); });
}

}  // namespace

START_TEST(features_of_resnet18_are_torchvisions) {
  assert_torchvisions("resnet18", ResNetWeights("resnet18", 3));
}
END_TEST

START_TEST(features_of_resnet50_are_torchvisions) {
  assert_torchvisions("resnet50", ResNetWeights("resnet50", 3));
}
END_TEST

START_TEST(features_of_wide_resnet50_2_are_torchvisions) {
  assert_torchvisions("wide_resnet50_2", ResNetWeights("wide_resnet50_2", 3));
}
END_TEST

START_TEST(layers_tell_their_channels_and_strides_and_maps_have_them) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  const auto net = Backbone::get(network_options("resnet18", folder / "w", {"layer1", "layer3"}));
  ck_assert_uint_eq(net->layers().size(), 2);
  ck_assert_int_eq(net->stride(), 16);
  const auto features = net->features(at::zeros({2, 3, 64, 96}));
  ck_assert((features[0].sizes() == at::IntArrayRef{2, 64, 16, 24}));
  ck_assert((features[1].sizes() == at::IntArrayRef{2, 256, 4, 6}));
  for (size_t i = 0; i < 2; ++i) {
    ck_assert_int_eq(net->layers()[i].channels, features[i].size(1));
    ck_assert_int_eq(net->layers()[i].stride, 64 / features[i].size(2));
  }
}
END_TEST

START_TEST(a_layer_keeps_its_values_whatever_follows_it) {
  assert_layers_keep_their_values("resnet18", ResNetWeights("resnet18", 4),
                                  {"layer1", "layer2", "layer3", "layer4"});
}
END_TEST

START_TEST(an_images_features_do_not_depend_on_its_batch) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  const auto net = Backbone::get(network_options("resnet18", folder / "w"));
  const at::Tensor batch = float_noise("batch", {5, 3, 64, 64});
  const auto together = net->features(batch);
  for (int64_t i = 0; i < 5; ++i) {
    const auto alone = net->features(batch.slice(0, i, i + 1));
    for (size_t layer = 0; layer < 2; ++layer)
      ck_assert_double_le(relative_error(together[layer].slice(0, i, i + 1), alone[layer]), 1e-5);
  }
}
END_TEST

START_TEST(weights_may_be_stored_in_half_precision) {
  const TemporaryFolder folder;
  Tensors halves = small(), rounded = small();
  for (auto& [name, value] : halves) value = value.to(at::kHalf);
  for (auto& [name, value] : rounded) value = value.to(at::kHalf).to(at::kFloat);
  write_safetensors(folder / "h", {}, halves);
  write_safetensors(folder / "r", {}, rounded);
  ck_assert(load_small(folder / "h")
                ->features(network_input())[0]
                .equal(load_small(folder / "r")->features(network_input())[0]));
}
END_TEST

START_TEST(parameters_behind_the_last_layer_are_not_needed_and_may_be_there) {
  const TemporaryFolder folder;
  Tensors tensors = small();
  write_safetensors(folder / "without", {}, tensors);
  tensors["layer2.0.conv1.weight"] = at::full({1}, NAN);
  tensors["fc.bias"] = at::zeros({1000});
  tensors["bn1.num_batches_tracked"] = at::zeros({}, at::kLong);
  write_safetensors(folder / "with", {}, tensors);
  ck_assert(load_small(folder / "with")
                ->features(network_input())[0]
                .equal(load_small(folder / "without")->features(network_input())[0]));
}
END_TEST

START_TEST(a_missing_parameter_is_refused_by_name) {
  for (const auto& [name, value] : small()) assert_parameter_refused(name, "missing", {});
}
END_TEST

START_TEST(a_parameter_of_another_shape_is_refused_by_name) {
  assert_parameter_refused("conv1.weight", "grey", at::zeros({64, 1, 7, 7}));
  assert_parameter_refused("conv1.weight", "5x5", at::zeros({64, 3, 5, 5}));
  assert_parameter_refused("conv1.weight", "63 channels", at::zeros({63, 3, 7, 7}));
  assert_parameter_refused("conv1.weight", "flat", at::zeros({64 * 3 * 7 * 7}));
  assert_parameter_refused("layer1.1.conv2.weight", "32 in", at::zeros({64, 32, 3, 3}));
  for (const char* entry : {"weight", "bias", "running_mean", "running_var"}) {
    assert_parameter_refused(std::string("bn1.") + entry, "short", at::ones({63}));
    assert_parameter_refused(std::string("bn1.") + entry, "2-d", at::ones({64, 1}));
  }
}
END_TEST

START_TEST(a_parameter_that_is_not_finite_is_refused_by_name) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    at::Tensor weight = small().at("layer1.0.conv2.weight").clone();
    weight[63][63][2][2] = value;
    assert_parameter_refused("layer1.0.conv2.weight", std::to_string(value), weight);
    assert_parameter_refused("bn1.bias", std::to_string(value), at::full({64}, value));
  }
}
END_TEST

START_TEST(a_batch_norm_that_makes_no_numbers_is_refused_by_name) {
  assert_parameter_refused("bn1.running_var", "negative", at::full({64}, -1.0f));
  assert_parameter_refused("conv1.weight", "too large for fp32",
                           at::full({64, 3, 7, 7}, 1e200, at::kDouble));
}
END_TEST

// All of them have the channels that the next one asks for; only the network's own are right.
START_TEST(weights_of_another_network_are_refused) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet50", 1).tensors);
  for (const char* net : {"resnet18", "wide_resnet50_2"})
    assert_refused(ErrorCode::OpenRead, {(folder / "w").string(), net}, net,
                   [&] { Backbone::get(network_options(net, folder / "w", {"layer1"})); });
}
END_TEST

START_TEST(a_shortcut_of_other_channels_than_its_block_is_refused_by_name) {
  const TemporaryFolder folder;
  Tensors tensors = ResNetWeights("resnet18", 2).tensors;
  tensors["layer2.0.downsample.0.weight"] = at::zeros({64, 64, 1, 1});
  for (const char* entry : {"weight", "bias", "running_mean", "running_var"})
    tensors[std::string("layer2.0.downsample.1.") + entry] = at::ones({64});
  write_safetensors(folder / "w", {}, tensors);
  assert_refused(ErrorCode::OpenRead, {(folder / "w").string(), "layer2.0.downsample.0.weight"},
                 "shortcut",
                 [&] { Backbone::get(network_options("resnet18", folder / "w", {"layer2"})); });
}
END_TEST

START_TEST(a_file_that_is_not_named_or_not_there_is_not_found) {
  const TemporaryFolder folder;
  assert_refused(ErrorCode::NotFound, {"resnet18"}, "not named", [&] { load_small(""); });
  assert_refused(ErrorCode::NotFound, {(folder / "w").string()}, "not there",
                 [&] { load_small(folder / "w"); });
}
END_TEST

START_TEST(a_network_without_a_named_file_takes_the_fetched_one) {
  const TemporaryFolder cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  const auto place = cache / "patchcore/weights/resnet18.safetensors";
  assert_refused(ErrorCode::NotFound, {"patchcore weights fetch resnet18"}, "not fetched",
                 [&] { load_small(""); });
  std::filesystem::create_directories(place.parent_path());
  write_safetensors(place, {}, small());
  // The path is kept, for a bank to remember.
  assert_text(load_small("")->options().weights, place.string());
  assert_text(load_small("")->weights_id(), sha256_of(place));
}
END_TEST

START_TEST(a_bank_whose_weights_are_gone_takes_the_fetched_ones) {
  const TemporaryFolder cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  MemoryBank bank = sample();
  bank.weights_location = cache.file("gone");
  const auto weights = [&] {
    return backbone_options_for(bank, "", "cpu", Precision::Auto).weights;
  };
  assert_text(weights(), cache.file("gone"));
  const auto place = cache / "patchcore/weights/resnet18.safetensors";
  std::filesystem::create_directories(place.parent_path());
  write_file(place, "");
  assert_text(weights(), place.string());
  write_file(cache / "gone", "");
  assert_text(weights(), cache.file("gone"));
}
END_TEST

START_TEST(what_is_no_file_of_weights_is_refused_without_waiting_for_it) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "folder");
  write_file(folder / "text", "no weights");
  ck_assert_int_eq(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  const auto long_name = folder / std::string(300, 'a');
  for (const auto& path : {folder / "folder", folder / "text", folder / "fifo", long_name})
    assert_refused(ErrorCode::OpenRead, {path.string()}, path, [&] { load_small(path); });
}
END_TEST

START_TEST(an_unknown_network_is_refused_with_the_known_ones) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, small());
  assert_refused(
      ErrorCode::InvalidArgument,
      {"resnet19", "builtin, resnet18, resnet50, wide_resnet50_2, mobilenet_v2, torchscript"},
      "network", [&] { Backbone::get(network_options("resnet19", folder / "w")); });
}
END_TEST

START_TEST(the_same_options_give_the_network_that_is_there) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, small());
  const auto net = load_small(folder / "w");
  std::filesystem::create_directory_symlink(folder / "", folder / "link");
  ck_assert_ptr_eq(load_small(folder / "w").get(), net.get());
  ck_assert_ptr_eq(load_small(folder / "link" / "w").get(), net.get());
  BackboneOptions other = network_options("resnet18", folder / "w", {"layer1"});
  other.precision = Precision::Bf16;
  ck_assert_ptr_ne(Backbone::get(other).get(), net.get());
}
END_TEST

START_TEST(another_file_of_the_same_name_is_another_network) {
  const TemporaryFolder folder;
  Tensors tensors = small();
  write_safetensors(folder / "w", {}, tensors);
  const auto before = load_small(folder / "w");
  const auto time = std::filesystem::last_write_time(folder / "w");
  tensors["bn1.bias"] = at::ones({64});
  write_safetensors(folder / "w", {}, tensors);
  // As an archive or a copy with its times does it.
  std::filesystem::last_write_time(folder / "w", time);
  const auto after = load_small(folder / "w");
  ck_assert_ptr_ne(after.get(), before.get());
  ck_assert_str_ne(after->weights_id().c_str(), before->weights_id().c_str());
}
END_TEST

START_TEST(the_weights_id_is_the_files_sha256) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, small());
  const std::string id = load_small(folder / "w")->weights_id();
  assert_text(id, sha256_of(folder / "w"));
}
END_TEST

int main() {
  Suite* suite = suite_create("resnet");
  TCase* features = tcase_create("features");
  tcase_set_timeout(features, 60);
  tcase_add_test(features, features_of_resnet18_are_torchvisions);
  tcase_add_test(features, features_of_resnet50_are_torchvisions);
  tcase_add_test(features, features_of_wide_resnet50_2_are_torchvisions);
  tcase_add_test(features, layers_tell_their_channels_and_strides_and_maps_have_them);
  tcase_add_test(features, a_layer_keeps_its_values_whatever_follows_it);
  tcase_add_test(features, an_images_features_do_not_depend_on_its_batch);
  tcase_add_test(features, weights_may_be_stored_in_half_precision);
  suite_add_tcase(suite, features);
  TCase* weights = tcase_create("weights");
  tcase_set_timeout(weights, 30);
  tcase_add_test(weights, parameters_behind_the_last_layer_are_not_needed_and_may_be_there);
  tcase_add_test(weights, a_missing_parameter_is_refused_by_name);
  tcase_add_test(weights, a_parameter_of_another_shape_is_refused_by_name);
  tcase_add_test(weights, a_parameter_that_is_not_finite_is_refused_by_name);
  tcase_add_test(weights, a_batch_norm_that_makes_no_numbers_is_refused_by_name);
  tcase_add_test(weights, weights_of_another_network_are_refused);
  tcase_add_test(weights, a_shortcut_of_other_channels_than_its_block_is_refused_by_name);
  tcase_add_test(weights, a_file_that_is_not_named_or_not_there_is_not_found);
  tcase_add_test(weights, a_network_without_a_named_file_takes_the_fetched_one);
  tcase_add_test(weights, a_bank_whose_weights_are_gone_takes_the_fetched_ones);
  tcase_add_test(weights, what_is_no_file_of_weights_is_refused_without_waiting_for_it);
  tcase_add_test(weights, an_unknown_network_is_refused_with_the_known_ones);
  tcase_add_test(weights, the_same_options_give_the_network_that_is_there);
  tcase_add_test(weights, another_file_of_the_same_name_is_another_network);
  tcase_add_test(weights, the_weights_id_is_the_files_sha256);
  suite_add_tcase(suite, weights);
  return run_suite(suite);
}
