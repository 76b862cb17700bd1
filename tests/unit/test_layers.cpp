// SPDX-License-Identifier: LGPL-2.1-or-later
// Which of a network's layers are used: some, each once, finest first.

#include "network_weights.hpp"
#include "safetensors.hpp"
#include "station.hpp"

using namespace station;

namespace {

using Names = std::vector<std::string>;

std::shared_ptr<const Backbone> network(const std::string& name, const Names& layers,
                                        const std::string& weights = "") {
  return Backbone::get({name, weights, layers, "cpu", Precision::Fp32});
}

/// All that can be left out of a list, but not everything.
std::vector<Names> parts_of(const Names& all) {
  std::vector<Names> parts;
  for (unsigned bits = 1; bits < 1u << all.size(); ++bits) {
    Names part;
    for (size_t i = 0; i < all.size(); ++i)
      if (bits >> i & 1) part.push_back(all[i]);
    parts.push_back(part);
  }
  return parts;
}

Names names_of(const std::vector<FeatureLayer>& layers) {
  Names names;
  for (const auto& layer : layers) names.push_back(layer.name);
  return names;
}

/// A part of the layers must give what all of them give at their places.
void assert_parts(const std::string& name, const Names& all, const std::string& weights) {
  const at::Tensor input = float_noise("input", {2, 3, 64, 96});
  const auto whole = network(name, all, weights);
  const auto expected = whole->features(input);
  for (const Names& part : parts_of(all)) {
    const auto net = network(name, part, weights);
    ck_assert(names_of(net->layers()) == part);
    ck_assert(net->options().layers == part);
    const auto features = net->features(input);
    ck_assert_uint_eq(features.size(), part.size());
    size_t at = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (at == part.size() || part[at] != all[i]) continue;
      ck_assert(features[at].equal(expected[i]));
      ck_assert_int_eq(net->layers()[at].channels, features[at].size(1));
      ck_assert_int_eq(net->layers()[at].stride, 64 / features[at].size(2));
      ++at;
    }
    ck_assert_int_eq(net->stride(), net->layers().back().stride);
  }
}

/// Every part of the layers embeds on its finest grid, in every preset.
void assert_embedded(const std::string& name, const Names& all, const std::string& weights) {
  for (const Names& part : parts_of(all)) {
    const auto net = network(name, part, weights);
    const auto features = net->features(float_noise("input", {1, 3, 64, 96}));
    int64_t channels = 0;
    for (const auto& map : features) channels += map.size(1);
    for (const Preset preset :
         {Preset::Paper, Preset::Official, Preset::Anomalib, Preset::Article, Preset::Inspect}) {
      const Settings s = Settings::from_preset(preset);
      const Embedding embedding = PatchEmbedding(s)(features);
      ck_assert_int_eq(embedding.height, 64 / net->layers().front().stride);
      ck_assert_int_eq(embedding.width, 96 / net->layers().front().stride);
      ck_assert_int_eq(embedding.rows.size(1), s.embedding_width ? s.embedding_width : channels);
      ck_assert(embedding.rows.isfinite().all().item<bool>());
    }
  }
}

void assert_layers_refused(const std::string& name, const Names& layers, const Names& parts,
                           const std::string& weights = "") {
  assert_refused(ErrorCode::InvalidArgument, parts, layers[0],
                 [&] { network(name, layers, weights); });
}

const Names kResNet{"layer1", "layer2", "layer3", "layer4"};
const Names kBuiltin{"fine", "coarse"};

class Weights {
 public:
  Weights() { write_safetensors(file(), {}, ResNetWeights("resnet18", 4).tensors); }
  std::string file() const { return folder_.file("w"); }

 private:
  TemporaryFolder folder_;
};

}  // namespace

START_TEST(some_layers_of_a_network_are_those_that_all_of_them_have) {
  assert_parts("builtin", kBuiltin, "");
  assert_parts("resnet18", kResNet, Weights().file());
}
END_TEST

START_TEST(any_layers_embed_on_the_grid_of_the_finest) {
  assert_embedded("builtin", kBuiltin, "");
  assert_embedded("resnet18", kResNet, Weights().file());
}
END_TEST

START_TEST(one_layer_alone_learns_and_detects) {
  for (const char* layer : {"fine", "coarse"}) {
    const auto net = network("builtin", {layer});
    Fit fit(net, settings(), {});
    const auto add = [&](const Picture& picture, const Detector* detector, Fit* to) {
      Request request{picture.data(), detector, to, {}};
      infer(*net, kInput, {&request, 1});
      return request.result.score;
    };
    for (int i = 0; i < kFrames; ++i) add(normal(i), nullptr, &fit);
    const Detector detector(net, std::make_shared<MemoryBank>(fit.build()));
    ck_assert(detector.settings().layers == Names{layer});
    ck_assert_double_gt(add(defective(20), &detector, nullptr),
                        add(normal(20), &detector, nullptr));
  }
}
END_TEST

START_TEST(the_usual_layers_by_their_names_are_the_same_network) {
  ck_assert_ptr_eq(network("builtin", {}).get(), network("builtin", kBuiltin).get());
  const Weights weights;
  const auto usual = network("resnet18", {}, weights.file());
  ck_assert_ptr_eq(network("resnet18", {"layer2", "layer3"}, weights.file()).get(), usual.get());
  ck_assert_ptr_ne(network("resnet18", {"layer2"}, weights.file()).get(), usual.get());
}
END_TEST

START_TEST(an_unknown_layer_is_refused_by_name_with_those_that_there_are) {
  for (const char* unknown : {"layer5", "", "fine", "Layer1", "layer1 ", "layer2,layer3"})
    assert_layers_refused(
        "resnet18", {unknown},
        {"\"" + std::string(unknown) + "\"", "resnet18", "layer1, layer2, layer3, layer4"},
        Weights().file());
  for (const char* unknown : {"layer2", "", "fine,coarse"})
    assert_layers_refused("builtin", {unknown},
                          {"\"" + std::string(unknown) + "\"", "builtin", "fine, coarse"});
  assert_layers_refused("builtin", {"fine", "finest"}, {"\"finest\"", "fine, coarse"});
  assert_layers_refused("builtin", Names(100000, "x"), {"\"x\"", "fine, coarse"});
}
END_TEST

START_TEST(layers_in_another_order_or_twice_are_refused_with_the_right_order) {
  const Weights weights;
  assert_layers_refused("resnet18", {"layer3", "layer2"},
                        {"\"layer2\"", "\"layer3\"", "layer1, layer2, layer3, layer4"},
                        weights.file());
  assert_layers_refused("resnet18", {"layer1", "layer1"}, {"\"layer1\"", "once"}, weights.file());
  assert_layers_refused("resnet18", {"layer1", "layer3", "layer2"}, {"\"layer2\""}, weights.file());
  assert_layers_refused("builtin", {"coarse", "fine"}, {"\"fine\"", "\"coarse\"", "fine, coarse"});
  assert_layers_refused("builtin", {"fine", "coarse", "fine"}, {"\"fine\"", "\"coarse\""});
}
END_TEST

int main() {
  Suite* suite = suite_create("layers");
  TCase* tests = tcase_create("layers");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, some_layers_of_a_network_are_those_that_all_of_them_have);
  tcase_add_test(tests, any_layers_embed_on_the_grid_of_the_finest);
  tcase_add_test(tests, one_layer_alone_learns_and_detects);
  tcase_add_test(tests, the_usual_layers_by_their_names_are_the_same_network);
  tcase_add_test(tests, an_unknown_layer_is_refused_by_name_with_those_that_there_are);
  tcase_add_test(tests, layers_in_another_order_or_twice_are_refused_with_the_right_order);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
