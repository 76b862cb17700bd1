// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcore evaluate on images that are not 8-bit RGB, or not as large as the network's input.
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "cmyk_jpeg.hpp"
#include "workshop.hpp"

using namespace workshop;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json evaluate(const fs::path& data, const std::string& bank = shared("bank.safetensors")) {
  return json::parse(output_of({"evaluate", "--json", "--bank", bank, "--dataset", data}));
}

/// Copies the shared data set, each image and each mask as `image` and `mask` make it.
template <typename Image, typename Mask>
fs::path converted(Image image, Mask mask) {
  const fs::path data = fresh();
  for (const auto& entry : fs::recursive_directory_iterator(shared("data"))) {
    if (!entry.is_regular_file()) continue;
    const fs::path name = entry.path().lexically_relative(shared("data"));
    fs::create_directories(data / name.parent_path());
    const cv::Mat from = cv::imread(entry.path(), cv::IMREAD_UNCHANGED);
    const bool is_mask = name.string().starts_with("ground_truth");
    cv::imwrite(data / name, is_mask ? mask(from) : image(from));
  }
  return data;
}

cv::Mat sixteen_bits(const cv::Mat& image) {
  cv::Mat deep;
  image.convertTo(deep, CV_16U, 257);
  return deep;
}

cv::Mat with_alpha(const cv::Mat& image) {
  cv::Mat transparent;
  cv::Mat alpha(image.size(), CV_8U, cv::Scalar(255));
  alpha.rowRange(0, image.rows / 2).setTo(60);
  cv::cvtColor(image, transparent, cv::COLOR_BGR2BGRA);
  cv::insertChannel(alpha, transparent, 3);
  return transparent;
}

cv::Mat grey(const cv::Mat& image) {
  cv::Mat grey;
  cv::extractChannel(image, grey, 0);
  return grey;
}

cv::Mat grey_in_three(const cv::Mat& image) {
  cv::Mat three;
  cv::cvtColor(grey(image), three, cv::COLOR_GRAY2BGR);
  return three;
}

cv::Mat as_it_is(const cv::Mat& image) { return image; }

START_TEST(sixteen_bit_images_and_masks_are_measured_as_their_eight_bits) {
  ck_assert(evaluate(converted(sixteen_bits, sixteen_bits)) == evaluate(shared("data")));
}
END_TEST

START_TEST(transparent_images_are_measured_as_opaque_ones) {
  ck_assert(evaluate(converted(with_alpha, as_it_is)) == evaluate(shared("data")));
}
END_TEST

START_TEST(grey_images_are_measured_as_three_equal_channels) {
  ck_assert(evaluate(converted(grey, as_it_is)) == evaluate(converted(grey_in_three, as_it_is)));
}
END_TEST

START_TEST(a_cmyk_image_is_measured_as_its_rgb) {
  const fs::path data = fresh(), folder = fresh();
  cv::Mat rgb(16, 16, CV_8UC3);  // as Pillow converts it, blue first
  rgb.colRange(0, 8).setTo(cv::Scalar(119, 49, 190));
  rgb.colRange(8, 16).setTo(cv::Scalar(159, 126, 23));
  write_file(folder / "a.jpg", cmyk_jpeg());
  cv::imwrite(folder / "b.png", rgb);
  const auto lines = scores(shared("bank.safetensors"), folder);
  const double cmyk = lines[0]["score"], expected = lines[1]["score"];
  ck_assert_double_eq_tol(cmyk, expected, 0.01 * expected);  // JPEG's rounding

  fs::copy(shared("data"), data, fs::copy_options::recursive);
  fs::create_directories(data / "test/ink");
  fs::create_directories(data / "ground_truth/ink");
  write_file(data / "test/ink/a.jpg", cmyk_jpeg());
  cv::imwrite(data / "ground_truth/ink/a_mask.png", cv::Mat(16, 16, CV_8U, cv::Scalar(255)));
  const json ink = evaluate(data)["classes"]["ink"];
  ck_assert_double_eq(ink["image_auroc"], 1);
  ck_assert_int_eq(ink["defects"], 1);
}
END_TEST

START_TEST(images_smaller_than_the_input_are_enlarged_and_measured_at_their_masks_size) {
  const auto half = [](const cv::Mat& image) {
    cv::Mat small;
    cv::resize(image, small, {32, 32}, 0, 0, cv::INTER_AREA);
    return small;
  };
  const fs::path data = converted(half, half);
  const fs::path train = fresh();
  for (const auto& file : fs::directory_iterator(shared("train")))
    cv::imwrite(train / file.path().filename(), half(cv::imread(file.path())));
  const std::string bank = fresh() / "bank.safetensors";
  output_of(join({"fit", "--images", train, "--output", bank}, kFit));  // 64 x 64
  const json result = evaluate(data, bank);
  ck_assert_double_eq(result["image_auroc"], 1);
  ck_assert_double_gt(result["pixel_auroc"], 0.9);
  ck_assert_double_gt(result["aupro"], 0.7);
}
END_TEST

START_TEST(an_image_of_one_pixel_is_measured) {
  const fs::path data = fresh();
  fs::copy(shared("data"), data, fs::copy_options::recursive);
  fs::create_directories(data / "test/dot");
  fs::create_directories(data / "ground_truth/dot");
  cv::imwrite(data / "test/dot/a.png", cv::Mat(1, 1, CV_8UC3, cv::Scalar(0, 0, 255)));
  cv::imwrite(data / "ground_truth/dot/a_mask.png", cv::Mat(1, 1, CV_8U, cv::Scalar(255)));
  ck_assert_double_eq(evaluate(data)["classes"]["dot"]["image_auroc"], 1);
}
END_TEST

START_TEST(an_image_of_floats_is_named) {
  const fs::path data = fresh();
  fs::copy(shared("data"), data, fs::copy_options::recursive);
  cv::imwrite(data / "test/good/x.tif", cv::Mat(64, 64, CV_32F, cv::Scalar(0.5)));
  assert_refused(run({"evaluate", "--bank", shared("bank.safetensors"), "--dataset", data}), 1,
                 data / "test/good/x.tif");
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "evaluate-images",
      {sixteen_bit_images_and_masks_are_measured_as_their_eight_bits,
       transparent_images_are_measured_as_opaque_ones,
       grey_images_are_measured_as_three_equal_channels, a_cmyk_image_is_measured_as_its_rgb,
       images_smaller_than_the_input_are_enlarged_and_measured_at_their_masks_size,
       an_image_of_one_pixel_is_measured, an_image_of_floats_is_named});
}
