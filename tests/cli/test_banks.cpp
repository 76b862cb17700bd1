// SPDX-License-Identifier: LGPL-2.1-or-later
// Banks of several products in one file, on the command line.

#include <algorithm>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;

namespace {

/// A file with the bank "a", fitted, and "b", packed, of other rows.
std::string two_banks(const std::filesystem::path& folder) {
  const std::string file = folder / "products.safetensors", other = folder / "b.safetensors";
  const Arguments fit{"fit", "--images", shared("train"), "--output"};
  output_of(join(join(fit, {file, "--bank-name", "a"}), kFit));
  output_of(join(join(fit, {other, "--seed", "7"}), kFit));
  output_of({"bank", "pack", "--output", file, "b=" + other});
  return file;
}

nlohmann::json info(const Arguments& arguments) {
  return nlohmann::json::parse(output_of(join({"bank", "info", "--json"}, arguments)));
}

std::string scored(const Arguments& bank) {
  return output_of(join({"score", "--images", shared("data/test/spot"), "--json", "--bank"}, bank));
}

}  // namespace

START_TEST(a_bank_in_a_file_of_several_scores_as_it_does_alone) {
  const auto folder = fresh();
  const std::string file = two_banks(folder);
  ck_assert(scored({file, "--bank-name", "a"}) == scored({shared("bank.safetensors")}));
  ck_assert(scored({file, "--bank-name", "b"}) == scored({folder / "b.safetensors"}));
  ck_assert(scored({file, "--bank-name", "a"}) != scored({file, "--bank-name", "b"}));
  const auto rated = nlohmann::json::parse(output_of(
      {"evaluate", "--bank", file, "--bank-name", "a", "--dataset", shared("data"), "--json"}));
  ck_assert_double_gt(rated["image_auroc"].get<double>(), 0.5);
}
END_TEST

START_TEST(info_tells_of_all_banks_or_of_one) {
  const std::string file = two_banks(fresh());
  const auto all = info({file});
  assert_text(all["format"].get<std::string>(), "2");
  ck_assert_uint_eq(all["banks"].size(), 2);
  assert_text(all["banks"][0]["name"].get<std::string>(), "a");
  ck_assert(all["banks"][1] == info({file, "--bank-name", "b"}));
  assert_text(all["banks"][0]["id"].get<std::string>(),
              info({shared("bank.safetensors")})["id"].get<std::string>().c_str());
  const std::string text = output_of({"bank", "info", file});
  ck_assert_uint_eq(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')), 2);
}
END_TEST

START_TEST(a_bank_that_was_packed_comes_out_as_it_was) {
  const auto folder = fresh();
  const std::string file = two_banks(folder), out = folder / "out.safetensors";
  output_of({"bank", "extract", file, "--bank-name", "b", "--output", out});
  auto before = info({folder / "b.safetensors"}), after = info({out});
  before.erase("file");
  after.erase("file");
  ck_assert(before == after);
  output_of({"bank", "remove", file, "--bank-name", "b"});
  ck_assert_uint_eq(info({file})["banks"].size(), 1);
}
END_TEST

START_TEST(a_bank_has_its_own_mask_or_that_of_the_file) {
  const auto folder = fresh();
  const std::string file = two_banks(folder);
  const std::string whole = scored({file, "--bank-name", "a"}),
                    whole_b = scored({file, "--bank-name", "b"});
  const cv::Mat nothing(64, 64, CV_8U, cv::Scalar(0));
  cv::Mat upper = nothing.clone();
  upper.rowRange(0, 24).setTo(255);
  cv::imwrite(folder / "products.a.focus.png", upper);
  ck_assert(scored({file, "--bank-name", "a"}) != whole);
  ck_assert(scored({file, "--bank-name", "b"}) == whole_b);
  cv::imwrite(folder / "products.focus.png", upper);
  ck_assert(scored({file, "--bank-name", "b"}) != whole_b);
}
END_TEST

START_TEST(choices_that_make_no_sense_are_refused) {
  const auto folder = fresh();
  const std::string file = two_banks(folder), one = shared("bank.safetensors");
  const Arguments score{"score", "--images", shared("data/test/good"), "--bank"};
  assert_refused(run(join(score, {file})), 1, "a,b");
  assert_refused(run(join(score, {file, "--bank-name", "c"})), 1, "a,b");
  assert_refused(run(join(score, {one, "--bank-name", "a"})), 1, "without a name");
  assert_refused(run(join(score, {file, "--bank-name", "../a"})), 2, "../a");
  const Arguments fit = join({"fit", "--images", shared("train")}, kFit);
  assert_refused(run(join(fit, {"--output", file})), 2, "a,b");
  assert_refused(run(join(fit, {"--output", one, "--bank-name", "a"})), 2, one);
  const Arguments pack{"bank", "pack", "--output", file};
  assert_refused(run(join(pack, {one})), 2, "NAME=FILE");
  assert_refused(run(join(pack, {"a=" + one, "a=" + one})), 2, "\"a\"");
  assert_refused(run(join(pack, {"a=" + shared("none.safetensors")})), 1, "none.safetensors");
}
END_TEST

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "cli-banks",
      {a_bank_in_a_file_of_several_scores_as_it_does_alone, info_tells_of_all_banks_or_of_one,
       a_bank_that_was_packed_comes_out_as_it_was, a_bank_has_its_own_mask_or_that_of_the_file,
       choices_that_make_no_sense_are_refused});
}
