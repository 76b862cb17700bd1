// SPDX-License-Identifier: LGPL-2.1-or-later
// Image scores against hand-computed values, maps against plain loops and other implementations.

#include <cmath>
#include <numbers>
#include <span>

#include "batch_scoring.hpp"
#include "map_fixture.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr double e = std::numbers::e;

double equation_7(const std::vector<double>& distances) {
  return reweighted_score(at::tensor(distances, at::kDouble)).item<double>();
}

double article(const std::vector<double>& distances) {
  return article_score(at::tensor(distances, at::kDouble)).item<double>();
}

Settings settings_of(ImageScoring scoring, int neighbours = 2) {
  Settings s;
  s.image_scoring = scoring;
  s.neighbours = neighbours;
  return s;
}

/// Of patches in a line, which are the map's pixels too.
ImageScore score(const Settings& settings, const NearestNeighbour& search, const at::Tensor& rows,
                 int64_t b) {
  MemoryBank bank;
  bank.rows = search.bank();
  bank.neighbours = search.own_neighbours(b);
  const auto nearest = search.search(rows, patch_values_need(settings, search.size()));
  const at::Tensor values = patch_values(settings, nearest);
  const Embedding line{rows, 1, 1, rows.size(0)};
  return score_batch(settings, nearest, values, values, line, {static_cast<int>(rows.size(0)), 1},
                     BankSearch(bank, at::kCPU))
      .images.front();
}

/// The score of patches on a line against the bank 0, 10, 11; each row's two neighbours known.
ImageScore score_on_line(const Settings& settings, std::vector<float> patches, double scale = 1,
                         int64_t b = 2) {
  const NearestNeighbour search((at::tensor({0.0f, 10.0f, 11.0f}) * scale).unsqueeze(1));
  const at::Tensor rows = (at::tensor(patches) * scale).unsqueeze(1);
  return score(settings, search, rows, b);
}

Settings map_settings(Interpolation upsampling, Border border, double sigma = 4) {
  Settings s;
  s.map_upsampling = upsampling;
  s.map_border = border;
  s.map_sigma = sigma;
  return s;
}

/// d c b a | a b c d | d c b a, or d c b | a b c d | c b a, walked step by step.
int64_t walk(int64_t from, int64_t steps, int64_t length, Border border) {
  int64_t at = from, direction = steps < 0 ? -1 : 1;
  for (int64_t left = std::abs(steps); left > 0; --left) {
    const bool edge = at + direction < 0 || at + direction >= length;
    if (edge) direction = -direction;
    if (!edge || (border == Border::Reflect && length > 1)) at += direction;
  }
  return at;
}

/// Nearest upsampling and the blur as a double sum over both axes.
double naive_map(const at::Tensor& patches, Size input, double sigma, Border border, int64_t x,
                 int64_t y) {
  const auto radius = static_cast<int64_t>(std::floor(4 * sigma + 0.5));
  double sum = 0, weights = 0;
  for (int64_t dy = -radius; dy <= radius; ++dy) {
    for (int64_t dx = -radius; dx <= radius; ++dx) {
      const double w = std::exp(-static_cast<double>(dx * dx + dy * dy) / (2 * sigma * sigma));
      const int64_t row = walk(y, dy, input.height, border) * patches.size(0) / input.height;
      const int64_t column = walk(x, dx, input.width, border) * patches.size(1) / input.width;
      sum += w * patches[row][column].item<double>();
      weights += w;
    }
  }
  return sum / weights;
}

void assert_values(const at::Tensor& map, std::span<const MapValue> expected) {
  for (const auto& [x, y, value] : expected)
    ck_assert_double_eq_tol(map[y][x].item<double>(), value, 1e-5);
}

}  // namespace

START_TEST(equation_7_on_distances_whose_exponentials_are_small_fractions) {
  ck_assert_double_eq_tol(equation_7({2, 2}), 1, 1e-12);
  ck_assert_double_eq_tol(equation_7({1, 1 + std::log(3)}), 0.75, 1e-12);
  ck_assert_double_eq_tol(equation_7({3, 3, 3, 3}), 2.25, 1e-12);
  ck_assert_double_eq_tol(equation_7({0, 5}), 0, 1e-12);
}
END_TEST

START_TEST(equation_7_takes_the_first_distance_for_that_of_the_nearest_row) {
  ck_assert_double_eq_tol(equation_7({1 + std::log(3), 1}), 0.25 * (1 + std::log(3)), 1e-12);
}
END_TEST

START_TEST(equation_7_without_another_neighbour_is_the_distance) {
  ck_assert_double_eq(equation_7({3.5}), 3.5);
}
END_TEST

START_TEST(equation_7_does_not_overflow) {
  ck_assert_double_eq_tol(equation_7({1000, 1000}), 500, 1e-9);
  ck_assert_double_eq_tol(equation_7({1e6, 1e6 + 1}), 1e6 * e / (1 + e), 1e-3);
  ck_assert_double_eq_tol(equation_7({1000, 0}), 0, 1e-9);
  ck_assert_double_eq_tol(equation_7({0, 1000}), 0, 1e-9);
}
END_TEST

START_TEST(the_articles_score_weighs_the_least_distance_by_the_largest) {
  ck_assert_double_eq_tol(article({1, 1 + std::log(3)}), 0.25, 1e-12);
  ck_assert_double_eq_tol(article({1 + std::log(3), 1}), 0.25, 1e-12);
  ck_assert_double_eq_tol(article({2, 2}), 1, 1e-12);
  ck_assert_double_eq_tol(article({1000, 1000}), 500, 1e-9);
  ck_assert_double_eq(article({3.5}), 3.5);
}
END_TEST

// Patch 13: 2 from its nearest row 11, whose neighbours are 11 and 10.
START_TEST(the_worst_patch_decides_each_kind_of_image_score) {
  const std::vector<float> patches{10, 13, 0.5f};
  const ImageScore maximum = score_on_line(settings_of(ImageScoring::Maximum), patches);
  ck_assert_int_eq(maximum.patch, 1);
  ck_assert_double_eq(maximum.score, 2);
  const ImageScore reweighted = score_on_line(settings_of(ImageScoring::Reweighted), patches);
  ck_assert_int_eq(reweighted.patch, 1);
  ck_assert_double_eq_tol(reweighted.score, 2 * e / (1 + e), 1e-9);
  const ImageScore of_article = score_on_line(settings_of(ImageScoring::Article), patches);
  ck_assert_int_eq(of_article.patch, 1);
  ck_assert_double_eq_tol(of_article.score, 2 / (1 + e), 1e-9);
}
END_TEST

START_TEST(neighbours_are_those_of_the_nearest_row_and_not_of_the_patch) {
  // Patch 5.25: nearest 10 (4.75), whose neighbours are 10 and 11; its own two are 10 and 0.
  const ImageScore score = score_on_line(settings_of(ImageScoring::Reweighted), {5.25f});
  ck_assert_double_eq_tol(score.score, 4.75 * e / (1 + e), 1e-9);
  const ImageScore of_article = score_on_line(settings_of(ImageScoring::Article), {5.25f});
  const double share = std::exp(0.5) / (1 + std::exp(0.5));  // distances 4.75 and 5.25
  ck_assert_double_eq_tol(of_article.score, 4.75 * (1 - share), 1e-9);
}
END_TEST

START_TEST(a_squared_distance_squares_the_largest) {
  Settings s = settings_of(ImageScoring::Maximum);
  s.distance = Distance::SquaredL2;
  ck_assert_double_eq(score_on_line(s, {13}).score, 4);
}
END_TEST

START_TEST(of_equally_bad_patches_the_first_is_the_worst) {
  ck_assert_int_eq(score_on_line(settings_of(ImageScoring::Maximum), {0, 13, 13, 13}).patch, 1);
}
END_TEST

START_TEST(a_patch_of_the_bank_scores_0) {
  for (const auto scoring :
       {ImageScoring::Maximum, ImageScoring::Reweighted, ImageScoring::Article})
    ck_assert_double_eq(score_on_line(settings_of(scoring), {11}).score, 0);
}
END_TEST

START_TEST(more_neighbours_than_rows_are_all_rows) {
  const double of_article = score_on_line(settings_of(ImageScoring::Article, 9), {13}).score;
  const double share = std::exp(11) / (1 + std::exp(1) + std::exp(11));  // 2, 3 and 13, less 2
  ck_assert_double_eq_tol(of_article, 2 * (1 - share), 1e-9);
}
END_TEST

START_TEST(a_bank_of_one_row_scores_by_the_distance) {
  const NearestNeighbour search(at::zeros({1, 1}));
  const at::Tensor rows = at::tensor({1.0f, -4.0f}).unsqueeze(1);
  for (const auto scoring :
       {ImageScoring::Maximum, ImageScoring::Reweighted, ImageScoring::Article}) {
    const ImageScore image = score(settings_of(scoring), search, rows, 1);
    ck_assert_double_eq(image.score, 4);
    ck_assert_int_eq(image.patch, 1);
  }
}
END_TEST

START_TEST(a_patchs_value_is_the_mean_of_its_nearest_rows) {
  Settings s = settings_of(ImageScoring::Maximum);
  s.patch_neighbours = 2;
  // 13 is 2 and 3 from its nearest two, 5 is 5 and 5 from them, and so the worse one.
  ck_assert_double_eq(score_on_line(s, {13}).score, 2.5);
  ck_assert_int_eq(score_on_line(s, {13, 5}).patch, 1);
  s.distance = Distance::SquaredL2;
  ck_assert_double_eq(score_on_line(s, {13}).score, 6.5);
  s.patch_neighbours = 100;
  ck_assert_double_eq_tol(score_on_line(s, {13}).score, (4 + 9 + 169) / 3.0, 1e-5);
}
END_TEST

START_TEST(equation_7_weighs_the_value_that_is_a_mean) {
  Settings s = settings_of(ImageScoring::Reweighted);
  s.patch_neighbours = 2;
  // d(m*) = 2, the other neighbour of m* is 3 away: the weight is 1 - 1 / (1 + e).
  ck_assert_double_eq_tol(score_on_line(s, {13}).score, 2.5 * (1 - 1 / (1 + e)), 1e-6);
}
END_TEST

START_TEST(the_mean_of_the_top_patches_is_that_of_the_largest_values) {
  Settings s = settings_of(ImageScoring::TopMean);
  s.top_patches = 2;
  const ImageScore image = score_on_line(s, {0, 13, 12, 15, 10});
  ck_assert_double_eq(image.score, (4 + 2) / 2.0);
  ck_assert_int_eq(image.patch, 3);
  s.top_patches = 100;  // as many as there are
  ck_assert_double_eq(score_on_line(s, {13, 15}).score, 3);
}
END_TEST

START_TEST(the_maps_maximum_is_taken_from_the_map) {
  const NearestNeighbour search(at::zeros({1, 1}));
  const at::Tensor rows = at::tensor({1.0f, 4.0f}).unsqueeze(1);
  Settings s = settings_of(ImageScoring::MapMaximum);
  s.map_sigma = 4;  // blurs 1 and 4 so that neither is left
  const at::Tensor map = anomaly_map(s, at::tensor({1.0f, 4.0f}).unsqueeze(0), {2, 1});
  const ImageScore image = score(s, search, rows, 1);
  ck_assert_double_lt(image.score, 3.9);
  ck_assert_double_eq(image.score, map.max().item<double>());
  ck_assert_int_eq(image.patch, 1);
}
END_TEST

START_TEST(large_distances_score_without_overflow) {
  const double score = score_on_line(settings_of(ImageScoring::Reweighted), {13}, 1000).score;
  ck_assert_double_eq_tol(score, 2000, 1e-6);  // 1 - exp(-1000) of it
}
END_TEST

START_TEST(a_map_has_the_inputs_size_and_values_of_its_patches) {
  const at::Tensor patches = at::arange(6, at::kFloat).reshape({2, 3});
  const at::Tensor map =
      anomaly_map(map_settings(Interpolation::Nearest, Border::Reflect, 0), patches, {9, 4});
  ck_assert((map.sizes() == at::IntArrayRef{4, 9}));
  for (int64_t y = 0; y < 4; ++y)
    for (int64_t x = 0; x < 9; ++x)
      ck_assert_double_eq(map[y][x].item<double>(), patches[y / 2][x / 3].item<double>());
}
END_TEST

START_TEST(a_constant_map_stays_constant_at_every_border) {
  for (const auto upsampling : {Interpolation::Nearest, Interpolation::Bilinear})
    for (const auto border : {Border::Symmetric, Border::Reflect})
      for (const Size size : {Size{64, 48}, Size{8, 40}, Size{1, 1}, Size{2, 3}}) {
        const at::Tensor map =
            anomaly_map(map_settings(upsampling, border), at::full({1, 1}, 2.5f), size);
        ck_assert_double_le((map - 2.5f).abs().max().item<double>(), 1e-5);
      }
}
END_TEST

START_TEST(blurred_maps_are_those_of_plain_loops) {
  const at::Tensor patches = float_noise("patches", {3, 5});
  const Size input{20, 9};  // shorter than the kernel of sigma 4: the border is reflected twice
  for (const auto border : {Border::Symmetric, Border::Reflect}) {
    for (const double sigma : {0.5, 1.3, 4.0}) {
      const at::Tensor map =
          anomaly_map(map_settings(Interpolation::Nearest, border, sigma), patches, input);
      for (const auto& [x, y] : std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {19, 8}, {7, 4}})
        ck_assert_double_eq_tol(map[y][x].item<double>(),
                                naive_map(patches, input, sigma, border, x, y), 1e-5);
    }
  }
}
END_TEST

START_TEST(the_official_map_is_scipys_blur_of_a_bilinear_upsampling) {
  const at::Tensor patches = (noise("map", {4, 5}) + 1).to(at::kFloat);
  assert_values(
      anomaly_map(map_settings(Interpolation::Bilinear, Border::Symmetric), patches, {40, 32}),
      kScipySymmetric);
}
END_TEST

START_TEST(anomalibs_map_is_torchs_reflected_blur_of_a_nearest_upsampling) {
  const at::Tensor patches = (noise("map", {4, 5}) + 1).to(at::kFloat);
  assert_values(
      anomaly_map(map_settings(Interpolation::Nearest, Border::Reflect), patches, {40, 32}),
      kTorchReflect);
}
END_TEST

int main() {
  Suite* suite = suite_create("scoring");
  TCase* image = tcase_create("image");
  tcase_add_test(image, equation_7_on_distances_whose_exponentials_are_small_fractions);
  tcase_add_test(image, equation_7_takes_the_first_distance_for_that_of_the_nearest_row);
  tcase_add_test(image, equation_7_without_another_neighbour_is_the_distance);
  tcase_add_test(image, equation_7_does_not_overflow);
  tcase_add_test(image, the_articles_score_weighs_the_least_distance_by_the_largest);
  tcase_add_test(image, the_worst_patch_decides_each_kind_of_image_score);
  tcase_add_test(image, neighbours_are_those_of_the_nearest_row_and_not_of_the_patch);
  tcase_add_test(image, a_squared_distance_squares_the_largest);
  tcase_add_test(image, of_equally_bad_patches_the_first_is_the_worst);
  tcase_add_test(image, a_patch_of_the_bank_scores_0);
  tcase_add_test(image, more_neighbours_than_rows_are_all_rows);
  tcase_add_test(image, a_bank_of_one_row_scores_by_the_distance);
  tcase_add_test(image, a_patchs_value_is_the_mean_of_its_nearest_rows);
  tcase_add_test(image, equation_7_weighs_the_value_that_is_a_mean);
  tcase_add_test(image, the_mean_of_the_top_patches_is_that_of_the_largest_values);
  tcase_add_test(image, the_maps_maximum_is_taken_from_the_map);
  tcase_add_test(image, large_distances_score_without_overflow);
  suite_add_tcase(suite, image);
  TCase* map = tcase_create("map");
  tcase_set_timeout(map, 20);
  tcase_add_test(map, a_map_has_the_inputs_size_and_values_of_its_patches);
  tcase_add_test(map, a_constant_map_stays_constant_at_every_border);
  tcase_add_test(map, blurred_maps_are_those_of_plain_loops);
  tcase_add_test(map, the_official_map_is_scipys_blur_of_a_bilinear_upsampling);
  tcase_add_test(map, anomalibs_map_is_torchs_reflected_blur_of_a_nearest_upsampling);
  suite_add_tcase(suite, map);
  return run_suite(suite);
}
