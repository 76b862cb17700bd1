// SPDX-License-Identifier: LGPL-2.1-or-later
// Banks that know positions, on the command line.

#include <cstdlib>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;

namespace {

/// Trays of the scene generator, learnt and to test.
std::string drawn(const std::filesystem::path& folder) {
  const std::string scene = folder / "scene";
  const std::string command = std::string(std::getenv("PATCHCORE_SCENE")) +
                              " trays --train 40 --test 8 --size 320x320 --seed 5 --output " +
                              scene;
  ck_assert_int_eq(std::system(command.c_str()), 0);
  return scene;
}

}  // namespace

START_TEST(parts_that_are_missing_or_misplaced_are_found_with_positions) {
  const auto folder = fresh();
  const std::string scene = drawn(folder), bank = folder / "bank.safetensors";
  const auto evaluated = [&](const char* radius) {
    output_of({"fit", "--images", scene + "/train/good", "--output", bank, "--resize", "320",
               "--bank-size", "2000", "--search-radius", radius});
    return nlohmann::json::parse(
        output_of({"evaluate", "--bank", bank, "--dataset", scene, "--bootstrap", "0", "--json"}));
  };
  const auto plain = evaluated("0"), placed = evaluated("2");
  ck_assert_double_ge(placed["image_auroc"].get<double>(), 0.99);
  ck_assert_double_ge(placed["pixel_auroc"].get<double>(), 0.98);
  ck_assert_int_eq(placed["misses"].get<int>(), 0);
  // What the same rows without them make of these.
  ck_assert_double_le(plain["image_auroc"].get<double>(), 0.97);
  ck_assert_double_le(plain["pixel_auroc"].get<double>(), 0.9);
  ck_assert_int_ge(plain["misses"].get<int>(), 4);
}
END_TEST

START_TEST(info_tells_the_radius_and_pictures_of_another_size_are_refused) {
  const auto folder = fresh();
  const std::string bank = folder / "bank.safetensors";
  output_of({"fit", "--images", shared("train"), "--output", bank, "--resize", "64", "--bank-size",
             "60", "--search-radius", "1"});
  const auto info = nlohmann::json::parse(output_of({"bank", "info", bank, "--json"}));
  assert_text(info["settings"]["search_radius"].get<std::string>(), "1");
  const std::string wide = folder / "wide";
  std::filesystem::create_directory(wide);
  cv::imwrite(wide + "/0.png", stripes(0, {96, 64}));
  assert_refused(run({"score", "--bank", bank, "--images", wide}), 1, "8 x 8");
}
END_TEST

int main(int argc, char** argv) {
  return run_tests(argc, argv, "cli-positions",
                   {parts_that_are_missing_or_misplaced_are_found_with_positions,
                    info_tells_the_radius_and_pictures_of_another_size_are_refused});
}
