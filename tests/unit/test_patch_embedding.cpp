// SPDX-License-Identifier: LGPL-2.1-or-later
// Patch vectors against loops written from the definitions: AvgPool with padding counted, torch's
// unfold and adaptive average, and its nearest and bilinear upsampling without aligned corners.

#include <cmath>
#include <functional>

#include "patch_embedding.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

using Vector = std::vector<double>;
/// The vector of a layer at a place of its own grid.
using Layer = std::function<Vector(int64_t y, int64_t x)>;

/// Channel by channel, row by row, the size x size values around a place; 0 outside the map.
Vector neighbourhood(const at::Tensor& map, int size, int64_t y, int64_t x) {
  const auto values = map.accessor<double, 3>();
  Vector all;
  for (int64_t c = 0; c < map.size(0); ++c)
    for (int64_t i = y - size / 2; i <= y + size / 2; ++i)
      for (int64_t j = x - size / 2; j <= x + size / 2; ++j) {
        const bool inside = i >= 0 && j >= 0 && i < map.size(1) && j < map.size(2);
        all.push_back(inside ? values[c][i][j] : 0);
      }
  return all;
}

/// torch's AdaptiveAvgPool1d: output i is the mean of inputs floor(i L / n) to ceil((i + 1) L / n).
Vector adaptively_pooled(const Vector& in, int64_t width) {
  Vector out;
  const auto length = static_cast<int64_t>(in.size());
  for (int64_t i = 0; i < width; ++i) {
    const int64_t first = i * length / width, last = ((i + 1) * length + width - 1) / width;
    double sum = 0;
    for (int64_t k = first; k < last; ++k) sum += in[k];
    out.push_back(sum / static_cast<double>(last - first));
  }
  return out;
}

Vector averaged(const at::Tensor& map, int size, int64_t y, int64_t x) {
  return adaptively_pooled(neighbourhood(map, size, y, x), map.size(0));
}

Vector mixed(const Vector& a, const Vector& b, double share) {
  Vector out;
  for (size_t i = 0; i < a.size(); ++i) out.push_back((1 - share) * a[i] + share * b[i]);
  return out;
}

/// A layer of height x width at the place (y, x) of a grid of other.height x other.width.
Vector resampled(const Layer& layer, at::IntArrayRef size, at::IntArrayRef grid, int64_t y,
                 int64_t x, Interpolation method) {
  if (method == Interpolation::Nearest) return layer(y * size[0] / grid[0], x * size[1] / grid[1]);
  const auto source = [](int64_t i, int64_t in, int64_t out) {
    const double at =
        (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    return std::max(at, 0.0);
  };
  const double sy = source(y, size[0], grid[0]), sx = source(x, size[1], grid[1]);
  const auto y0 = static_cast<int64_t>(sy), x0 = static_cast<int64_t>(sx);
  const int64_t y1 = std::min(y0 + 1, size[0] - 1), x1 = std::min(x0 + 1, size[1] - 1);
  const double fy = sy - static_cast<double>(y0), fx = sx - static_cast<double>(x0);
  return mixed(mixed(layer(y0, x0), layer(y0, x1), fx), mixed(layer(y1, x0), layer(y1, x1), fx),
               fy);
}

/// The vector of one patch: each layer's, on the finest grid, joined, and pooled once more where
/// the settings ask for it.
Vector naive_patch(const Settings& s, const std::vector<at::Tensor>& maps, int64_t y, int64_t x) {
  const bool adaptive = s.neighbourhood == Neighbourhood::AdaptivePool;
  Vector joined;
  for (const at::Tensor& map : maps) {
    const Layer layer = [&](int64_t i, int64_t j) {
      return adaptive ? adaptively_pooled(neighbourhood(map, s.patch_size, i, j), s.layer_width)
                      : averaged(map, s.patch_size, i, j);
    };
    const Vector part =
        resampled(layer, map.sizes().slice(1), maps[0].sizes().slice(1), y, x, s.merge);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  return adaptive ? adaptively_pooled(joined, s.embedding_width) : joined;
}

void assert_naive(const Settings& s, const std::vector<at::Tensor>& features) {
  const Embedding embedding = PatchEmbedding(s)(features);
  ck_assert_int_eq(embedding.images, features[0].size(0));
  ck_assert_int_eq(embedding.height, features[0].size(2));
  ck_assert_int_eq(embedding.width, features[0].size(3));
  ck_assert_int_eq(embedding.rows.size(0), embedding.images * embedding.patches());
  for (int64_t image = 0; image < embedding.images; ++image) {
    std::vector<at::Tensor> maps;
    for (const auto& map : features) maps.push_back(map[image].to(at::kDouble).contiguous());
    const at::Tensor rows = embedding.image(image);
    for (int64_t y = 0; y < embedding.height; ++y)
      for (int64_t x = 0; x < embedding.width; ++x) {
        const Vector expected = naive_patch(s, maps, y, x);
        const at::Tensor row = rows[y * embedding.width + x];
        ck_assert_int_eq(row.size(0), expected.size());
        ck_assert_double_le((row - at::tensor(expected)).abs().max().item<double>(), 1e-5);
      }
  }
}

/// Two images of odd sizes; the coarser layers' grids don't divide the finest's.
std::vector<at::Tensor> features(size_t layers = 3) {
  std::vector<at::Tensor> all{float_noise("fine", {2, 3, 5, 7}),
                              float_noise("middle", {2, 4, 3, 4}),
                              float_noise("coarse", {2, 5, 2, 1})};
  all.resize(layers);
  return all;
}

Settings averaging(int patch_size, Interpolation merge) {
  Settings s;
  s.patch_size = patch_size;
  s.merge = merge;
  return s;
}

Settings adaptive(int patch_size, Interpolation merge, int layer_width, int embedding_width) {
  Settings s = averaging(patch_size, merge);
  s.neighbourhood = Neighbourhood::AdaptivePool;
  s.layer_width = layer_width;
  s.embedding_width = embedding_width;
  return s;
}

constexpr Interpolation kMerges[] = {Interpolation::Nearest, Interpolation::Bilinear};

}  // namespace

START_TEST(averaged_patches_are_those_of_plain_loops) {
  for (const int patch_size : {1, 3, 5})
    for (const auto merge : kMerges) assert_naive(averaging(patch_size, merge), features());
}
END_TEST

START_TEST(adaptively_pooled_patches_are_those_of_plain_loops) {
  for (const int patch_size : {3, 5})
    for (const auto merge : kMerges) {
      assert_naive(adaptive(patch_size, merge, 8, 6), features());
      assert_naive(adaptive(patch_size, merge, 100, 24), features());  // wider than some layers
    }
}
END_TEST

START_TEST(one_layer_alone_is_embedded) {
  assert_naive(averaging(3, Interpolation::Bilinear), features(1));
  assert_naive(adaptive(3, Interpolation::Bilinear, 8, 5), features(1));
}
END_TEST

START_TEST(a_grid_of_one_patch_is_embedded) {
  const std::vector<at::Tensor> maps{float_noise("a", {1, 3, 1, 1}),
                                     float_noise("b", {1, 2, 1, 1})};
  assert_naive(averaging(3, Interpolation::Bilinear), maps);
  assert_naive(adaptive(5, Interpolation::Nearest, 4, 3), maps);
}
END_TEST

START_TEST(a_constant_map_keeps_its_value_except_where_padding_counts) {
  const at::Tensor rows =
      PatchEmbedding(averaging(3, Interpolation::Bilinear))({at::full({1, 1, 3, 3}, 9.0f)})
          .rows.reshape({3, 3});
  const at::Tensor expected = at::tensor({4.f, 6.f, 4.f, 6.f, 9.f, 6.f, 4.f, 6.f, 4.f});
  ck_assert_double_le((rows.flatten() - expected).abs().max().item<double>(), 1e-5);
}
END_TEST

START_TEST(the_closed_form_for_512_and_1024_channels_is_the_definition) {
  const std::vector<at::Tensor> maps{float_noise("512", {1, 512, 4, 6}),
                                     float_noise("1024", {1, 1024, 2, 3})};
  for (const auto merge : kMerges) assert_naive(adaptive(3, merge, 1024, 1024), maps);
}
END_TEST

START_TEST(other_shapes_than_the_closed_forms_take_the_definition) {
  const std::vector<at::Tensor> swapped{float_noise("1024", {1, 1024, 2, 3}),
                                        float_noise("512", {1, 512, 1, 2})};
  assert_naive(adaptive(3, Interpolation::Bilinear, 1024, 1024), swapped);
  const std::vector<at::Tensor> small{float_noise("512", {1, 512, 2, 3}),
                                      float_noise("1024", {1, 1024, 1, 2})};
  assert_naive(adaptive(5, Interpolation::Bilinear, 1024, 1024), small);
  assert_naive(adaptive(3, Interpolation::Bilinear, 1024, 512), small);
  assert_naive(adaptive(3, Interpolation::Bilinear, 512, 1024), small);
}
END_TEST

START_TEST(an_images_rows_do_not_depend_on_its_batch) {
  const Settings s = adaptive(3, Interpolation::Bilinear, 8, 6);
  const Embedding both = PatchEmbedding(s)(features());
  for (int64_t image = 0; image < 2; ++image) {
    std::vector<at::Tensor> one;
    for (const auto& map : features()) one.push_back(map.slice(0, image, image + 1));
    ck_assert(PatchEmbedding(s)(one).rows.equal(both.image(image)));
  }
}
END_TEST

int main() {
  Suite* suite = suite_create("patch-embedding");
  TCase* tests = tcase_create("patch-embedding");
  tcase_set_timeout(tests, 30);
  tcase_add_test(tests, averaged_patches_are_those_of_plain_loops);
  tcase_add_test(tests, adaptively_pooled_patches_are_those_of_plain_loops);
  tcase_add_test(tests, one_layer_alone_is_embedded);
  tcase_add_test(tests, a_grid_of_one_patch_is_embedded);
  tcase_add_test(tests, a_constant_map_keeps_its_value_except_where_padding_counts);
  tcase_add_test(tests, the_closed_form_for_512_and_1024_channels_is_the_definition);
  tcase_add_test(tests, other_shapes_than_the_closed_forms_take_the_definition);
  tcase_add_test(tests, an_images_rows_do_not_depend_on_its_batch);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
