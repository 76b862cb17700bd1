// SPDX-License-Identifier: LGPL-2.1-or-later
// mobilenet_v2 against torchvision (network_fixture.hpp), and weights that are none.

#include "network_checks.hpp"

using namespace patchcore;

namespace {

constexpr const char* kNet = "mobilenet_v2";

}  // namespace

START_TEST(features_of_mobilenet_v2_are_torchvisions) {
  assert_torchvisions(kNet, MobileNetWeights(13));
}
END_TEST

START_TEST(layers_have_the_channels_and_strides_that_are_told) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, MobileNetWeights(17).tensors);
  const std::vector<std::string> all{"features.1",  "features.3",  "features.6", "features.10",
                                     "features.13", "features.16", "features.17"};
  const auto net = Backbone::get(network_options(kNet, folder / "w", all));
  const auto features = net->features(at::zeros({2, 3, 64, 96}));
  ck_assert_uint_eq(features.size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    ck_assert_str_eq(net->layers()[i].name.c_str(), all[i].c_str());
    ck_assert_int_eq(net->layers()[i].channels, features[i].size(1));
    ck_assert_int_eq(net->layers()[i].stride, 64 / features[i].size(2));
    ck_assert_int_eq(net->layers()[i].stride, 96 / features[i].size(3));
  }
  ck_assert_int_eq(net->stride(), 32);
}
END_TEST

START_TEST(a_layer_keeps_its_values_whatever_follows_it) {
  assert_layers_keep_their_values(kNet, MobileNetWeights(17),
                                  {"features.1", "features.3", "features.6", "features.10",
                                   "features.13", "features.16", "features.17"});
}
END_TEST

START_TEST(two_layers_of_one_grid_may_be_joined) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, MobileNetWeights(13).tensors);
  const auto net =
      Backbone::get(network_options(kNet, folder / "w", {"features.10", "features.13"}));
  const auto features = net->features(network_input());
  ck_assert(features[0].sizes().slice(2) == features[1].sizes().slice(2));
}
END_TEST

START_TEST(a_parameter_behind_the_last_layer_is_not_needed_and_one_before_it_is) {
  const TemporaryFolder folder;
  auto tensors = MobileNetWeights(13).tensors;
  write_safetensors(folder / "w", {}, tensors);
  Backbone::get(network_options(kNet, folder / "w"));
  tensors.erase("features.13.conv.2.weight");
  write_safetensors(folder / "cut", {}, tensors);
  assert_refused(ErrorCode::OpenRead,
                 {(folder / "cut").string(), kNet, "features.13.conv.2.weight is missing"}, "cut",
                 [&] { Backbone::get(network_options(kNet, folder / "cut")); });
}
END_TEST

int main() {
  Suite* suite = suite_create("mobilenet");
  TCase* tests = tcase_create("mobilenet");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, features_of_mobilenet_v2_are_torchvisions);
  tcase_add_test(tests, layers_have_the_channels_and_strides_that_are_told);
  tcase_add_test(tests, a_layer_keeps_its_values_whatever_follows_it);
  tcase_add_test(tests, two_layers_of_one_grid_may_be_joined);
  tcase_add_test(tests, a_parameter_behind_the_last_layer_is_not_needed_and_one_before_it_is);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
