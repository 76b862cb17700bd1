// SPDX-License-Identifier: LGPL-2.1-or-later
// Each kernel against its CPU reference.

#include <cmath>
#include <numeric>

#include "cuda/features.hpp"
#include "preprocess.hpp"
#include "subject.hpp"

using namespace patchcore;
using cuda::pointer;
using subject::there;

namespace {

const cuda::Kernels& reference() { return cuda::reference_kernels(); }

at::Tensor whole_numbers(const std::string& name, std::vector<int64_t> shape, int64_t limit) {
  return (float_noise(name, std::move(shape)) * static_cast<double>(limit)).round();
}

double relative(const at::Tensor& ours, const at::Tensor& expected) {
  const at::Tensor e = expected.to(at::kDouble);
  const at::Tensor difference = (ours.cpu().to(at::kDouble) - e).abs().max();
  return difference.item<double>() / (e.abs().max().item<double>() + 1e-30);
}

/// Runs the subject's and the reference's kernel on the same products.
struct Products {
  at::Tensor a, b, offsets;

  int64_t rows() const { return a.size(0); }
  int64_t columns() const { return b.size(0); }

  at::Tensor run(const cuda::Kernels& kernels, c10::Device device, bool maxima,
                 const cuda::Selection& selection) const {
    const at::Tensor left = a.to(device), right = b.to(device), add = offsets.to(device);
    const int64_t groups = (columns() + cuda::kGroup - 1) / cuda::kGroup;
    const at::Tensor out = at::full({rows(), maxima ? groups : columns()}, 777, add.options());
    const cuda::Multiply m{selection, pointer<uint16_t>(left), pointer<uint16_t>(right), columns(),
                           a.size(1), pointer<float>(add),     pointer<float>(out)};
    const auto kernel = maxima ? kernels.group_maxima : kernels.multiply;
    const char* error = kernel(m, cuda::current_stream(device));
    ck_assert_msg(!error, "%s", error);
    return out.cpu();
  }

  void assert_same(bool maxima) const {
    const at::Tensor ours = run(*subject::kernels, subject::device, maxima, {rows()});
    const at::Tensor expected = run(reference(), at::kCPU, maxima, {rows()});
    ck_assert_msg(ours.equal(expected), "%d rows, %d columns of %d", static_cast<int>(rows()),
                  static_cast<int>(columns()), static_cast<int>(a.size(1)));
  }
};

/// Whole numbers, whose sums are exact in any order.
Products products(int64_t rows, int64_t columns, int64_t width) {
  const auto bf16 = [](const at::Tensor& t) { return t.to(at::kBFloat16); };
  const int64_t padded = (columns + cuda::kTile - 1) / cuda::kTile * cuda::kTile;
  at::Tensor offsets = whole_numbers("offsets", {padded}, 1000);
  offsets.slice(0, columns).fill_(-INFINITY);
  return {bf16(whole_numbers("a", {rows, width}, 16)),
          bf16(whole_numbers("b", {columns, width}, 16)), offsets};
}

constexpr int64_t kShapes[][3] = {{1, 1, 32},     {1, 33, 64},    {5, 31, 32},    {127, 129, 96},
                                  {128, 128, 32}, {129, 32, 160}, {200, 300, 64}, {3, 257, 128}};

struct Rounded {
  at::Tensor values, squares, slack;

  static Rounded of(const cuda::Kernels& kernels, c10::Device device, const at::Tensor& rows,
                    const at::Tensor& mean, const cuda::Selection& selection) {
    const at::Tensor r = rows.to(device), m = mean.to(device);
    const int64_t width = (rows.size(1) + 31) / 32 * 32;
    Rounded out{at::zeros({selection.rows, width}, r.options().dtype(at::kBFloat16)),
                at::zeros({selection.rows}, r.options()), at::zeros({selection.rows}, r.options())};
    const char* error = kernels.round_rows(
        {selection, pointer<float>(r), pointer<float>(m), rows.size(1), width,
         pointer<uint16_t>(out.values), pointer<float>(out.squares), pointer<float>(out.slack)},
        cuda::current_stream(device));
    ck_assert_msg(!error, "%s", error);
    return {out.values.cpu(), out.squares.cpu(), out.slack.cpu()};
  }
};

Settings averaging(int patch, Interpolation merge) {
  Settings s;
  s.neighbourhood = Neighbourhood::AveragePool;
  s.patch_size = patch;
  s.merge = merge;
  return s;
}

}  // namespace

// To the last bit: a division is a division.
START_TEST(frames_are_normalised_to_every_type) {
  for (const int64_t pixels : {1, 35, 341, 1500})
    for (const auto from : {at::kByte, at::kFloat}) {
      const at::Tensor rgb = noise("rgb", {1, 1, pixels, 3}).add(1).mul(127.5).to(from);
      for (const auto to : {at::kFloat, at::kHalf, at::kBFloat16}) {
        const at::Tensor expected = cuda::normalise(rgb, to, reference());
        const at::Tensor ours = cuda::normalise(there(rgb), to, *subject::kernels).cpu();
        ck_assert(ours.equal(expected));
      }
    }
}
END_TEST

START_TEST(normalised_frames_are_those_of_preprocess) {
  const at::Tensor rgb = noise("rgb", {2, 9, 7, 3}).add(1).mul(127.5).to(at::kByte);
  const at::Tensor ours = cuda::normalise(there(rgb), at::kFloat, *subject::kernels).cpu();
  ck_assert(ours.equal(Preprocess::normalise(rgb)));
}
END_TEST

// PatchEmbedding is ATen's pooling, upsampling and joining here.
START_TEST(embedded_patches_are_those_of_the_cpu) {
  const std::vector<std::vector<int64_t>> grids{{1, 1, 1, 1},   {1, 7, 1, 4},  {5, 3, 3, 2},
                                                {14, 14, 7, 7}, {9, 10, 4, 3}, {6, 6, 6, 6}};
  for (const auto& grid : grids)
    for (const int patch : {1, 3, 5})
      for (const auto merge : {Interpolation::Bilinear, Interpolation::Nearest})
        for (const int64_t channels : {3, 8}) {
          const Settings s = averaging(patch, merge);
          const std::vector<at::Tensor> maps{
              float_noise("fine", {2, channels, grid[0], grid[1]}),
              float_noise("coarse", {2, 2 * channels, grid[2], grid[3]})};
          const Embedding expected = PatchEmbedding(s)(maps);
          const std::vector<at::Tensor> theirs{there(maps[0]), there(maps[1])};
          const auto ours = cuda::embed(theirs, s, *subject::kernels);
          ck_assert(ours.has_value());
          ck_assert_int_eq(ours->images, 2);
          ck_assert_int_eq(ours->height, grid[0]);
          ck_assert_int_eq(ours->width, grid[1]);
          ck_assert((ours->rows.sizes() == expected.rows.sizes()));
          ck_assert_double_le(relative(ours->rows, expected.rows), 2e-6);
        }
}
END_TEST

START_TEST(maps_may_be_of_any_type_and_channels_last) {
  const Settings s = averaging(3, Interpolation::Bilinear);
  for (const auto type : {at::kFloat, at::kHalf, at::kBFloat16})
    for (const int64_t channels : {4, 6, 20}) {
      const at::Tensor fine = float_noise("fine", {2, channels, 6, 5}).to(type);
      const at::Tensor coarse = float_noise("coarse", {2, channels, 3, 2}).to(type);
      const Embedding expected = *cuda::embed({fine, coarse}, s, reference());
      const auto last = [](const at::Tensor& map) {
        return map.to(subject::device).contiguous(at::MemoryFormat::ChannelsLast);
      };
      // A slice begins somewhere within an allocation.
      const at::Tensor part = last(at::cat({fine, fine})).slice(0, 2, 4);
      const auto ours = cuda::embed({part, last(coarse)}, s, *subject::kernels);
      ck_assert_double_le(relative(ours->rows, expected.rows), 2e-6);
    }
}
END_TEST

START_TEST(other_neighbourhoods_and_types_are_left_to_aten) {
  Settings s = averaging(3, Interpolation::Bilinear);
  const at::Tensor map = there(at::ones({1, 2, 3, 3}));
  ck_assert(!cuda::embed({map.to(at::kDouble)}, s, *subject::kernels));
  s.neighbourhood = Neighbourhood::AdaptivePool;
  ck_assert(!cuda::embed({map}, s, *subject::kernels));
}
END_TEST

START_TEST(rows_are_rounded_and_what_is_missing_is_bounded) {
  for (const int64_t width : {1, 31, 32, 33, 200})
    for (const int64_t rows : {1, 9, 40}) {
      const at::Tensor x = float_noise("x", {rows, width}) * 10,
                       mean = float_noise("mean", {width});
      const Rounded ours = Rounded::of(*subject::kernels, subject::device, x, mean, {rows});
      const Rounded expected = Rounded::of(reference(), at::kCPU, x, mean, {rows});
      ck_assert(ours.values.equal(expected.values));
      ck_assert_double_le(relative(ours.squares, expected.squares), 1e-5);
      ck_assert_double_le(relative(ours.slack, expected.slack), 1e-5);
      const at::Tensor missing = ours.values.slice(1, 0, width).to(at::kDouble) -
                                 (x.to(at::kDouble) - mean.to(at::kDouble));
      ck_assert(ours.slack.to(at::kDouble).ge(missing.square().sum(1).sqrt()).all().item<bool>());
    }
}
END_TEST

START_TEST(a_list_names_the_rows_that_are_rounded) {
  const at::Tensor x = float_noise("x", {9, 40}), mean = at::zeros({40});
  const at::Tensor list = there(at::tensor({7, 2, 2, 0, 5}, at::kInt));
  const at::Tensor count = there(at::tensor({3}, at::kInt));
  const cuda::Selection some{9, pointer<int32_t>(list), pointer<int32_t>(count)};
  const Rounded ours = Rounded::of(*subject::kernels, subject::device, x, mean, some);
  const Rounded all = Rounded::of(reference(), at::kCPU, x, mean, {9});
  const at::Tensor rows = at::tensor({7, 2, 2}, at::kLong);
  ck_assert(ours.values.slice(0, 0, 3).equal(all.values.index_select(0, rows)));
  ck_assert_double_eq(ours.squares.slice(0, 3).abs().sum().item<double>(), 0);
}
END_TEST

START_TEST(products_of_whole_numbers_are_exact) {
  for (const auto& [rows, columns, width] : kShapes)
    products(rows, columns, width).assert_same(/*maxima=*/false);
}
END_TEST

START_TEST(the_largest_product_of_each_group_is_found) {
  for (const auto& [rows, columns, width] : kShapes)
    products(rows, columns, width).assert_same(/*maxima=*/true);
}
END_TEST

START_TEST(products_of_fractions_are_within_their_error) {
  Products p = products(130, 70, 512);
  p.a = float_noise("fractions a", {130, 512}).to(at::kBFloat16);
  p.b = float_noise("fractions b", {70, 512}).to(at::kBFloat16);
  const at::Tensor exact = at::matmul(p.a.to(at::kDouble), p.b.to(at::kDouble).t());
  const at::Tensor norms = at::outer(p.a.to(at::kDouble).square().sum(1).sqrt(),
                                     p.b.to(at::kDouble).square().sum(1).sqrt());
  const at::Tensor ours = p.run(*subject::kernels, subject::device, false, {130});
  const at::Tensor error = (ours.to(at::kDouble) - exact).abs() / norms;
  ck_assert_double_le(error.max().item<double>(), 512 * 0x1p-22);  // product_error()
}
END_TEST

START_TEST(a_product_that_is_no_number_makes_its_group_infinite) {
  Products p = products(2, 96, 32);
  p.b[40][3] = NAN;
  const at::Tensor ours = p.run(*subject::kernels, subject::device, true, {2});
  for (int row = 0; row < 2; ++row) {
    ck_assert(std::isfinite(ours[row][0].item<float>()));
    ck_assert(std::isinf(ours[row][1].item<float>()));
    ck_assert(std::isfinite(ours[row][2].item<float>()));
  }
}
END_TEST

START_TEST(rows_behind_the_count_are_left_alone) {
  const Products p = products(300, 40, 32);
  const at::Tensor count = there(at::tensor({130}, at::kInt));
  const cuda::Selection some{300, nullptr, pointer<int32_t>(count)};
  const at::Tensor expected = p.run(reference(), at::kCPU, true, {300});
  const at::Tensor ours = p.run(*subject::kernels, subject::device, true, some);
  ck_assert(ours.slice(0, 0, 130).equal(expected.slice(0, 0, 130)));
  ck_assert(ours.slice(0, 130).eq(777).all().item<bool>());
}
END_TEST

START_TEST(heads_are_those_of_the_reference) {
  constexpr int64_t kRows = 50, kCount = 31, kWidth = 32, kRowWidth = 96;
  const at::Tensor coordinates = float_noise("coordinates", {kRows, kCount});
  const at::Tensor squares = coordinates.square().sum(1) * 1.3;
  squares[7] = 0;  // rounding may leave less than the coordinates have
  const auto run = [&](const cuda::Kernels& kernels, c10::Device device) {
    const at::Tensor c = coordinates.to(device), s = squares.to(device);
    const at::Tensor slack = at::full({kRows}, 0.01, c.options());
    const Rounded out{at::zeros({kRows, kWidth}, c.options().dtype(at::kBFloat16)),
                      at::zeros({kRows}, c.options()), at::zeros({kRows}, c.options())};
    const char* error =
        kernels.make_heads({kRows, pointer<float>(c), kCount, 1.01F, pointer<float>(s),
                            pointer<float>(slack), kRowWidth, kWidth, pointer<uint16_t>(out.values),
                            pointer<float>(out.squares), pointer<float>(out.slack)},
                           cuda::current_stream(device));
    ck_assert_msg(!error, "%s", error);
    return Rounded{out.values.cpu(), out.squares.cpu(), out.slack.cpu()};
  };
  const Rounded ours = run(*subject::kernels, subject::device),
                expected = run(reference(), at::kCPU);
  ck_assert(ours.values.slice(1, 0, kCount).equal(expected.values.slice(1, 0, kCount)));
  // The rest is a difference of sums: it may round to the next value.
  ck_assert_double_le(relative(ours.values, expected.values), 0x1p-7);
  ck_assert_double_le(relative(ours.squares, expected.squares), 1e-2);
  ck_assert_double_le(relative(ours.slack, expected.slack), 0.2);
}
END_TEST

int main(int argc, char** argv) {
  Suite* suite = suite_create("cuda-kernels");
  TCase* tests = tcase_create("small");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, frames_are_normalised_to_every_type);
  tcase_add_test(tests, normalised_frames_are_those_of_preprocess);
  tcase_add_test(tests, embedded_patches_are_those_of_the_cpu);
  tcase_add_test(tests, maps_may_be_of_any_type_and_channels_last);
  tcase_add_test(tests, other_neighbourhoods_and_types_are_left_to_aten);
  tcase_add_test(tests, rows_are_rounded_and_what_is_missing_is_bounded);
  tcase_add_test(tests, a_list_names_the_rows_that_are_rounded);
  tcase_add_test(tests, products_of_whole_numbers_are_exact);
  tcase_add_test(tests, the_largest_product_of_each_group_is_found);
  tcase_add_test(tests, products_of_fractions_are_within_their_error);
  tcase_add_test(tests, a_product_that_is_no_number_makes_its_group_infinite);
  tcase_add_test(tests, rows_behind_the_count_are_left_alone);
  tcase_add_test(tests, heads_are_those_of_the_reference);
  suite_add_tcase(suite, tests);
  return subject::run(argc, argv, suite);
}
