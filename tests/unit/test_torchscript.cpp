// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks of others: a TorchScript file and its description. The programs are compiled here by
// LibTorch itself; what they must give is worked out from their text.

#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>

#include "backbone.hpp"
#include "detector.hpp"
#include "network_checks.hpp"
#include "preprocess.hpp"

using namespace patchcore;

namespace {

/// Two layers: means of 8 x 8 of the three channels; something of the 16 x 16 mean of their sum
/// that TorchScript would prepare to differentiate.
constexpr const char* kProgram = R"(
def forward(self, x):
    fine = torch.avg_pool2d(x, 8)
    return fine, torch.tanh(torch.tanh(torch.avg_pool2d(x, 16).sum(1, True) * self.gain) * self.gain)
)";
constexpr const char* kDescription = R"({
  "mean": [0.5, 0.25, 0.125], "std": [0.5, 0.25, 1],
  "layers": [{"name": "fine", "channels": 3, "stride": 8},
             {"name": "coarse", "channels": 1, "stride": 16}]})";

class Network {
 public:
  explicit Network(const std::string& program = kProgram,
                   const std::string& description = kDescription) {
    torch::jit::Module module("Network");
    module.register_parameter("gain", at::full({}, 2.0).requires_grad_(true), /*is_buffer=*/false);
    module.define(program + "\n");
    module.save(file());
    describe(description);
  }
  void describe(const std::string& text) const { write_file(file() + ".json", text); }
  std::string file() const { return (folder / "net.pt").string(); }
  BackboneOptions options(std::vector<std::string> layers = {}) const {
    return network_options("torchscript", file(), std::move(layers));
  }
  void assert_refused_as(ErrorCode code, const std::vector<std::string>& parts,
                         const std::string& what) const {
    assert_refused(code, parts, what, [&] { Backbone::get(options()); });
  }

  TemporaryFolder folder;
};

/// One colour everywhere, as it comes from Preprocess.
at::Tensor coloured(const std::array<uint8_t, 3>& rgb) {
  at::Tensor pixels = at::empty({1, 32, 32, 3}, at::kByte);
  for (int c = 0; c < 3; ++c) pixels.select(3, c).fill_(rgb[static_cast<size_t>(c)]);
  return Preprocess::normalise(pixels);
}

}  // namespace

START_TEST(outputs_are_the_layers_and_the_network_sees_its_own_normalisation) {
  const Network network;
  const auto net = Backbone::get(network.options());
  ck_assert_int_eq(net->stride(), 16);
  // As infer() runs it, and often enough that TorchScript has optimised what it runs.
  const c10::InferenceMode no_gradients;
  for (int i = 0; i < 3; ++i) net->features(coloured({9, 9, 9}));
  const auto features = net->features(coloured({255, 51, 0}));
  ck_assert_uint_eq(features.size(), 2);
  ck_assert((features[0].sizes() == at::IntArrayRef{1, 3, 4, 4}));
  ck_assert((features[1].sizes() == at::IntArrayRef{1, 1, 2, 2}));
  // (1 - 0.5) / 0.5, (0.2 - 0.25) / 0.25, (0 - 0.125) / 1; their sum is 0.675
  const std::array<double, 3> expected{1, -0.2, -0.125};
  for (int c = 0; c < 3; ++c)
    ck_assert_double_eq_tol(features[0][0][c][2][3].item<double>(),
                            expected[static_cast<size_t>(c)], 1e-5);
  ck_assert_double_eq_tol(features[1][0][0][1][0].item<double>(),
                          std::tanh(2 * std::tanh(2 * 0.675)), 1e-5);
}
END_TEST

START_TEST(without_mean_and_std_they_are_imagenets) {
  const Network network(kProgram, R"({"layers": [{"name": "fine", "channels": 3, "stride": 8},
      {"name": "coarse", "channels": 1, "stride": 16}]})");
  const at::Tensor input = coloured({200, 100, 50});
  const auto features = Backbone::get(network.options())->features(input);
  ck_assert_double_le(relative_error(features[0], at::avg_pool2d(input, 8)), 1e-5);
}
END_TEST

START_TEST(one_of_the_layers_may_be_taken) {
  const Network network;
  const auto net = Backbone::get(network.options({"coarse"}));
  const auto features = net->features(coloured({255, 51, 0}));
  ck_assert_uint_eq(features.size(), 1);
  ck_assert_int_eq(features[0].size(1), 1);
  assert_refused(ErrorCode::InvalidArgument, {"medium", "fine, coarse"}, "layer",
                 [&] { Backbone::get(network.options({"medium"})); });
}
END_TEST

START_TEST(a_single_tensor_and_a_list_are_outputs_too) {
  for (const char* result : {"x", "[x]"}) {
    const Network network(
        std::string("def forward(self, x):\n    x = torch.avg_pool2d(x, 4)\n    return ") + result,
        R"({"layers": [{"name": "a", "channels": 3, "stride": 4}]})");
    ck_assert_uint_eq(Backbone::get(network.options())->features(coloured({1, 2, 3})).size(), 1);
  }
}
END_TEST

START_TEST(one_that_takes_frames_of_one_size_says_which) {
  const Network network(
      "def forward(self, x):\n    return torch.avg_pool2d(x.reshape(-1, 3, 40, 24), 8)",
      R"({"size": [24, 40], "layers": [{"name": "a", "channels": 3, "stride": 8}]})");
  const auto net = Backbone::get(network.options());
  const auto features = net->features(at::zeros({2, 3, 40, 24}));
  ck_assert((features[0].sizes() == at::IntArrayRef{2, 3, 5, 3}));
  assert_refused(ErrorCode::InvalidArgument, {network.file(), "24x40", "40x24"}, "turned", [&] {
    net->features(at::zeros({1, 3, 24, 40}));
  });
}
END_TEST

START_TEST(a_colon_names_the_file_too) {
  const Network network;
  BackboneOptions options = network.options();
  options.name = "torchscript:" + options.weights;
  options.weights.clear();
  const auto net = Backbone::get(options);
  ck_assert_str_eq(net->options().name.c_str(), "torchscript");
  ck_assert_ptr_eq(net.get(), Backbone::get(network.options()).get());
}
END_TEST

START_TEST(its_program_and_its_description_are_both_its_identity) {
  const Network network;
  const std::string id = Backbone::get(network.options())->weights_id();
  assert_text(id, sha256_of(network.file()) + "-" + sha256_of(network.file() + ".json"));
  std::string other = kDescription;
  other.replace(other.find("0.125"), 5, "0.126");
  network.describe(other);
  ck_assert_str_ne(Backbone::get(network.options())->weights_id().c_str(), id.c_str());
}
END_TEST

START_TEST(a_bank_alone_does_not_make_a_program_run) {
  const Network network;
  MemoryBank bank;
  bank.settings.backbone = "torchscript";
  bank.weights_location = network.file();
  const auto wanted = [&](const std::string& weights) {
    return Backbone::get(backbone_options_for(bank, weights, "cpu", Precision::Fp32));
  };
  assert_refused(ErrorCode::NotFound, {"torchscript", "program"}, "bank", [&] { wanted(""); });
  ck_assert(wanted(network.file()) != nullptr);
}
END_TEST

START_TEST(a_program_that_does_not_do_what_is_described_is_refused) {
  const auto described = [](const char* layer) {
    return std::string(R"({"layers": [)") + layer + "]}";
  };
  const std::string one = "def forward(self, x):\n    return torch.avg_pool2d(x, 8)";
  const auto refused = [&](const std::string& program, const std::string& description,
                           const std::vector<std::string>& parts) {
    const Network network(program, description);
    auto named = parts;
    named.push_back(network.file());
    network.assert_refused_as(ErrorCode::OpenRead, named, program);
  };
  refused(one, kDescription, {"returns 1 tensors", "2 layers"});
  refused(one, described(R"({"name": "a", "channels": 4, "stride": 8})"), {"\"a\""});
  refused(one, described(R"({"name": "a", "channels": 3, "stride": 4})"), {"\"a\""});
  refused("def forward(self, x):\n    return x.flatten(1)",
          described(R"({"name": "a", "channels": 3, "stride": 8})"), {"\"a\""});
  refused("def forward(self, x):\n    return torch.avg_pool2d(x, 8) + self.gain[3]",
          described(R"({"name": "a", "channels": 3, "stride": 8})"), {"can't be run"});
}
END_TEST

START_TEST(a_description_that_is_none_is_refused_by_its_name) {
  const Network network;
  const std::string file = network.file() + ".json";
  for (const char* text :
       {"",
        "[]",
        "{",
        "{}",
        R"({"layers": []})",
        R"({"layers": [3]})",
        R"({"layers": {"a": 1}})",
        R"({"layers": [{"name": "a,b", "channels": 3, "stride": 8}]})",
        R"({"layers": [{"name": "", "channels": 3, "stride": 8}]})",
        R"({"layers": [{"channels": 3, "stride": 8}]})",
        R"({"layers": [{"name": "a", "channels": 0, "stride": 8}]})",
        R"({"layers": [{"name": "a", "channels": 3.5, "stride": 8}]})",
        R"({"layers": [{"name": "a", "channels": 3, "stride": -8}]})",
        R"({"layers": [{"name": "a", "channels": 99999999999999999999, "stride": 8}]})",
        R"({"layers": [{"name": "a", "channels": 3, "stride": 100000}]})",
        R"({"layers": [{"name": "a", "channels": 3, "stride": 16},
                       {"name": "b", "channels": 3, "stride": 8}]})",
        R"({"layers": [{"name": "a", "channels": 3, "stride": 8},
                       {"name": "a", "channels": 3, "stride": 16}]})",
        R"({"std": [0, 1, 1], "layers": [{"name": "a", "channels": 3, "stride": 8}]})",
        R"({"size": [24], "layers": [{"name": "a", "channels": 3, "stride": 8}]})",
        R"({"size": [24, 0], "layers": [{"name": "a", "channels": 3, "stride": 8}]})",
        R"({"mean": [0, 1], "layers": [{"name": "a", "channels": 3, "stride": 8}]})",
        R"({"mean": "0", "layers": [{"name": "a", "channels": 3, "stride": 8}]})"}) {
    network.describe(text);
    network.assert_refused_as(ErrorCode::OpenRead, {file}, text);
  }
  network.describe(std::string(1 << 20, ' '));
  network.assert_refused_as(ErrorCode::OpenRead, {file, "too long"}, "long");
  std::filesystem::remove(file);
  network.assert_refused_as(ErrorCode::NotFound, {file}, "missing");
}
END_TEST

START_TEST(what_is_no_torchscript_is_refused_in_one_line) {
  const Network network;
  write_file(network.file(), "no archive");
  assert_refused(ErrorCode::OpenRead, {network.file(), "TorchScript"}, "text", [&] {
    try {
      Backbone::get(network.options());
    } catch (const Error& error) {
      ck_assert_ptr_null(std::strchr(error.what(), '\n'));
      throw;
    }
  });
}
END_TEST

int main() {
  Suite* suite = suite_create("torchscript");
  TCase* tests = tcase_create("torchscript");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, outputs_are_the_layers_and_the_network_sees_its_own_normalisation);
  tcase_add_test(tests, without_mean_and_std_they_are_imagenets);
  tcase_add_test(tests, one_of_the_layers_may_be_taken);
  tcase_add_test(tests, a_single_tensor_and_a_list_are_outputs_too);
  tcase_add_test(tests, one_that_takes_frames_of_one_size_says_which);
  tcase_add_test(tests, a_colon_names_the_file_too);
  tcase_add_test(tests, its_program_and_its_description_are_both_its_identity);
  tcase_add_test(tests, a_bank_alone_does_not_make_a_program_run);
  tcase_add_test(tests, a_program_that_does_not_do_what_is_described_is_refused);
  tcase_add_test(tests, a_description_that_is_none_is_refused_by_its_name);
  tcase_add_test(tests, what_is_no_torchscript_is_refused_in_one_line);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
