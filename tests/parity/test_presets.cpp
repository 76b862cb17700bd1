// SPDX-License-Identifier: LGPL-2.1-or-later
// The four presets against what anomalib 2.7.0, amazon-science/patchcore-inspection fcaa92f, the
// paper's Eq. 7 in fp64 and the article's formulas in fp64 make of four Magnetic Tile pictures with
// the same weights. Tolerances: golden/README.md.

#include "../check_main.hpp"
#include "../shared_data.hpp"
#include "golden.hpp"

using namespace patchcore;

namespace {

constexpr double kFp16Storage = 2e-3;  // of an embedding that was stored as fp16
constexpr double kEmbedding = 1e-4;
constexpr double kDistance = 1e-4;
constexpr double kScore = 1e-4;
constexpr double kScoreOfFp16Embedding = 3e-4;
constexpr double kMap = 1e-3;  // of the map's range

at::Tensor patch_distances(const GoldenCase& golden, const at::Tensor& bank) {
  return NearestNeighbour(bank.to(at::kFloat)).search(golden.embedding.rows, 1).distances;
}

at::Tensor scores(const std::vector<Result>& results) {
  std::vector<double> values;
  for (const Result& result : results) values.push_back(result.score);
  return at::tensor(values, at::kDouble);
}

double map_difference(const std::vector<Result>& results, const at::Tensor& expected) {
  std::vector<at::Tensor> maps;
  for (const Result& result : results) maps.push_back(result.map);
  const at::Tensor ours = at::stack(maps).to(at::kDouble);
  const at::Tensor theirs = expected.reshape(ours.sizes());
  return ((ours - theirs).abs().max() / (theirs.max() - theirs.min())).item<double>();
}

std::vector<Result> score(GoldenCase& golden, const at::Tensor& bank) {
  return Detector(golden.backbone, bank_of(golden, bank)).score(golden.embedding, golden.input);
}

}  // namespace

START_TEST(anomalib_embedding_distances_scores_and_maps) {
  GoldenCase golden(Preset::Anomalib, "mtd-anomalib.safetensors");
  const at::Tensor bank = golden.expected("bank");
  const auto results = score(golden, bank);
  ck_assert_double_le(relative_to_largest(golden.embedding.rows, golden.expected("embedding")),
                      kEmbedding);
  ck_assert_double_le(
      relative(patch_distances(golden, bank).flatten(), golden.expected("patch_distance")),
      kDistance);
  ck_assert_double_le(relative(scores(results), golden.expected("pred_score")), kScore);
  ck_assert_double_le(map_difference(results, golden.expected("anomaly_map")), kMap);
}
END_TEST

START_TEST(official_embedding_scores_and_maps) {
  GoldenCase golden(Preset::Official, "mtd-official.safetensors");
  const auto results = score(golden, golden.expected("bank"));
  ck_assert_double_le(relative_to_largest(golden.embedding.rows, golden.expected("embedding")),
                      kFp16Storage);
  ck_assert_double_le(relative(scores(results), golden.expected("image_score")),
                      kScoreOfFp16Embedding);
  ck_assert_double_le(map_difference(results, golden.expected("anomaly_map")), kMap);
}
END_TEST

START_TEST(paper_distances_neighbours_and_eq7) {
  GoldenCase golden(Preset::Paper, "mtd-paper.safetensors");
  const at::Tensor bank =
      SafetensorsReader(shared_data() / "golden/mtd-official.safetensors").tensor("bank");
  const at::Tensor distances = patch_distances(golden, bank);
  const auto results = score(golden, bank);
  ck_assert_double_le(relative(distances.reshape({4, -1}), golden.expected("patch_distance")),
                      kDistance);
  ck_assert_double_le(
      relative(std::get<0>(distances.reshape({4, -1}).max(1)), golden.expected("max_distance")),
      kDistance);
  ck_assert_double_le(relative(scores(results), golden.expected("image_score")),
                      kScoreOfFp16Embedding);

  const NearestNeighbour search(bank.to(at::kFloat));
  const at::Tensor own = search.own_neighbours(9);
  const at::Tensor expected = golden.reader.tensor("neighbours");
  const at::Tensor patches = golden.reader.tensor("argmax_patch");
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t patch = patches[i].item<int64_t>();
    ck_assert_int_eq(distances.reshape({4, -1})[i].argmax().item<int64_t>(), patch);
    const int64_t nearest =
        search.search(golden.embedding.image(i), 1).rows[patch][0].item<int64_t>();
    ck_assert(own[nearest].equal(expected[i]));
  }
}
END_TEST

START_TEST(article_embedding_distances_scores_and_maps) {
  GoldenCase golden(Preset::Article, "mtd-article.safetensors");
  const at::Tensor bank = golden.expected("bank");
  const auto results = score(golden, bank);
  ck_assert_double_le(relative_to_largest(golden.embedding.rows, golden.expected("embedding")),
                      kFp16Storage);
  ck_assert_double_le(
      relative(patch_distances(golden, bank).reshape({4, -1}), golden.expected("patch_distance")),
      kDistance);
  ck_assert_double_le(relative(scores(results), golden.expected("image_score")), kScore);
  ck_assert_double_le(map_difference(results, golden.expected("anomaly_map")), kMap);
}
END_TEST

START_TEST(closed_form_embedding_of_wide_resnet50_is_the_official_one) {
  SafetensorsReader golden(shared_data() / "golden/wide_resnet50_2-embedding-official.safetensors");
  const Embedding ours = PatchEmbedding(Settings::from_preset(Preset::Official))(
      {golden.tensor("layer2"), golden.tensor("layer3")});
  ck_assert_double_le(relative_to_largest(ours.rows, golden.tensor("embedding").to(at::kDouble)),
                      kEmbedding);
}
END_TEST

int main() {
  if (!has_shared("golden")) return skip_suite("../shared/golden is not there");
  Suite* suite = suite_create("presets");
  TCase* tests = tcase_create("presets");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, anomalib_embedding_distances_scores_and_maps);
  tcase_add_test(tests, official_embedding_scores_and_maps);
  tcase_add_test(tests, paper_distances_neighbours_and_eq7);
  tcase_add_test(tests, article_embedding_distances_scores_and_maps);
  tcase_add_test(tests, closed_form_embedding_of_wide_resnet50_is_the_official_one);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
