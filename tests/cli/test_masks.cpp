// SPDX-License-Identifier: LGPL-2.1-or-later
// Masks on the command line: beside the bank, or named.

#include "../png_file.hpp"
#include "workshop.hpp"

using namespace workshop;

namespace {

/// The spots of the shared pictures lie here.
bool lower_part(unsigned, unsigned y) { return y >= 24; }

double highest(const std::string& bank, const std::string& images) {
  double most = 0;
  for (const auto& line : scores(bank, images)) most = std::max(most, line["score"].get<double>());
  return most;
}

nlohmann::json pixel_auroc(const std::string& bank) {
  return nlohmann::json::parse(output_of(
      {"evaluate", "--bank", bank, "--dataset", shared("data"), "--json"}))["pixel_auroc"];
}

std::string fitted(const std::filesystem::path& folder, const Arguments& more = {}) {
  const std::string bank = folder / "part.safetensors";
  output_of(join({"fit", "--images", shared("train"), "--output", bank}, join(kFit, more)));
  return bank;
}

}  // namespace

START_TEST(the_mask_beside_a_bank_counts_for_fit_score_and_evaluate) {
  const auto folder = fresh();
  const std::string bank = fitted(folder);
  const double good = highest(bank, shared("data/test/good"));
  const double seen = highest(bank, shared("data/test/spot"));
  ck_assert_double_gt(seen, good);
  ck_assert(pixel_auroc(bank).is_number());
  write_mask(folder / "part.ignore.png", 128, 128,
             [](unsigned x, unsigned y) { return lower_part(x / 2, y / 2); });
  // What counts sees something of the spots, in so small a picture.
  ck_assert_double_lt(highest(bank, shared("data/test/spot")), good + (seen - good) / 2);
  // Nothing is left of the spots to compare pixels with.
  ck_assert(pixel_auroc(bank).is_null());
  // 8 x 8 patches a picture, of which the upper three rows count.
  const std::string said =
      output_of({"fit", "--images", shared("train"), "--output", bank, "--resize", "64x64"});
  ck_assert_msg(said.find("6 frames, 144 patches") != std::string::npos, "%s", said.c_str());
}
END_TEST

START_TEST(a_mask_that_is_named_counts_in_its_place) {
  const auto folder = fresh();
  const std::string bank = fitted(folder), mask = folder / "mask.png";
  write_mask(mask, 64, 64, lower_part);
  const auto first = [&](const Arguments& more) {
    const std::string lines = output_of(
        join({"score", "--bank", bank, "--images", shared("data/test/spot"), "--json"}, more));
    return nlohmann::json::parse(lines.substr(0, lines.find('\n')))["score"].get<double>();
  };
  ck_assert_double_eq(first({"--mask", mask}), first({}));
  ck_assert_double_lt(first({"--mask", mask, "--mask-kind", "ignore"}), first({}));
}
END_TEST

START_TEST(masks_that_cannot_be_used_are_refused_by_name) {
  const auto folder = fresh();
  const std::string mask = folder / "wide.png";
  const Arguments score{
      "score", "--bank", shared("bank.safetensors"), "--images", shared("data/test/good"),
      "--mask"};
  assert_refused(run(join(score, {mask})), 1, mask);
  write_mask(mask, 64, 36, [](unsigned, unsigned) { return true; });
  assert_refused(run(join(score, {mask})), 1, "64 x 36");
  assert_refused(run(join(score, {mask, "--mask-kind", "both"})), 2, "both");
  write_file(mask, "no PNG");
  assert_refused(run(join(score, {mask})), 1, mask);
  assert_refused(run({"score", "--bank", shared("bank.safetensors"), "--images",
                      shared("data/test/good"), "--mask-kind", "ignore"}),
                 2, "--mask");
}
END_TEST

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "masks",
      {the_mask_beside_a_bank_counts_for_fit_score_and_evaluate,
       a_mask_that_is_named_counts_in_its_place, masks_that_cannot_be_used_are_refused_by_name});
}
