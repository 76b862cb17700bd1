// SPDX-License-Identifier: LGPL-2.1-or-later
// The network that the library brings: what its file holds, by ATen's plain operators, as
// lib/builtin/network.py has them.

#include "backbone.hpp"
#include "builtin_network.hpp"
#include "safetensors.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

const char* file = nullptr;  ///< network.safetensors

class Plain {
 public:
  Plain() : weights_(std::filesystem::path(file)) {}

  std::vector<at::Tensor> operator()(const at::Tensor& input) {
    at::Tensor x = input;
    std::vector<at::Tensor> outputs;
    for (int stage = 0; stage < 3; ++stage) {
      x = convolved(x, name(stage) + ".down", stage == 0 ? 4 : 2).relu();
      x = (x + convolved(convolved(x, name(stage) + ".conv1").relu(), name(stage) + ".conv2"))
              .relu();
      if (stage == 1) outputs.push_back(convolved(x, "fine"));
      if (stage == 2) outputs.push_back(convolved(x, "coarse"));
    }
    return outputs;
  }

 private:
  static std::string name(int stage) { return "stages." + std::to_string(stage); }

  at::Tensor convolved(const at::Tensor& x, const std::string& name, int64_t stride = 1) {
    const at::Tensor weight = weights_.tensor(name + ".weight").to(at::kDouble);
    const at::Tensor bias = weights_.tensor(name + ".bias").to(at::kDouble);
    const int64_t padding = weight.size(2) / 2;
    return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
  }

  SafetensorsReader weights_;
};

std::shared_ptr<const Backbone> builtin(std::vector<std::string> layers = {}) {
  return Backbone::get({"builtin", "", std::move(layers), "cpu", Precision::Fp32});
}

at::Tensor picture(int64_t height, int64_t width) {
  return float_noise("picture", {2, 3, height, width}).mul_(2);
}

}  // namespace

START_TEST(its_layers_are_what_its_file_says) {
  for (const auto& [height, width] : {std::pair{64, 96}, {224, 224}, {80, 48}}) {
    const at::Tensor input = picture(height, width);
    const auto expected = Plain()(input.to(at::kDouble));
    const auto features = builtin()->features(input);
    ck_assert_uint_eq(features.size(), 2);
    for (size_t i = 0; i < 2; ++i) {
      ck_assert(features[i].sizes() == expected[i].sizes());
      ck_assert_double_le(relative_error(features[i], expected[i]), 1e-4);
    }
  }
}
END_TEST

START_TEST(a_layer_alone_has_the_values_that_it_has_beside_the_other) {
  const at::Tensor input = picture(64, 64);
  const auto both = builtin()->features(input);
  ck_assert(builtin({"fine"})->features(input)[0].equal(both[0]));
  ck_assert(builtin({"coarse"})->features(input)[0].equal(both[1]));
}
END_TEST

START_TEST(its_id_is_the_sha_256_of_its_file) {
  assert_text(builtin()->weights_id(), sha256_of(file).c_str());
}
END_TEST

START_TEST(it_takes_two_megabytes_at_most) {
  ck_assert_uint_le(std::filesystem::file_size(file), 2'000'000);
}
END_TEST

int main(int, char** argv) {
  file = argv[1];
  Suite* suite = suite_create("builtin-network");
  TCase* tests = tcase_create("builtin-network");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, its_layers_are_what_its_file_says);
  tcase_add_test(tests, a_layer_alone_has_the_values_that_it_has_beside_the_other);
  tcase_add_test(tests, its_id_is_the_sha_256_of_its_file);
  tcase_add_test(tests, it_takes_two_megabytes_at_most);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
