// SPDX-License-Identifier: LGPL-2.1-or-later
// What kinds of image files are read as. The network sees 8-bit RGB whatever a file holds.
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "../check_main.hpp"
#include "../files.hpp"
#include "cmyk_jpeg.hpp"
#include "error.hpp"
#include "images.hpp"

using namespace patchcore;
using namespace patchcore::cli;

namespace {

/// Every channel another ramp. 8-bit BGR.
cv::Mat ramps() {
  cv::Mat image(20, 30, CV_8UC3);
  for (int y = 0; y < image.rows; ++y)
    for (int x = 0; x < image.cols; ++x)
      image.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<uchar>(8 * x), static_cast<uchar>(12 * y),
                                            static_cast<uchar>(x * y % 256));
  return image;
}

cv::Mat read_back(const std::string& name, const cv::Mat& image) {
  const TemporaryFolder folder;
  cv::imwrite(folder.file(name), image);
  return read_rgb(folder / name);
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.type() == b.type() && a.size() == b.size() && cv::norm(a, b, cv::NORM_INF) == 0;
}

cv::Mat rgb_of(const cv::Mat& bgr) {
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return rgb;
}

cv::Mat sixteen_bits(const cv::Mat& image) {
  cv::Mat deep;
  image.convertTo(deep, CV_16U, 257);  // 255 becomes 65535
  return deep;
}

START_TEST(grey_becomes_three_equal_channels) {
  cv::Mat grey, expected;
  cv::extractChannel(ramps(), grey, 0);
  cv::cvtColor(grey, expected, cv::COLOR_GRAY2RGB);
  for (const char* name : {"a.png", "a.tif", "a.bmp", "a.pgm"})
    ck_assert_msg(same(read_back(name, grey), expected), "%s", name);
}
END_TEST

START_TEST(sixteen_bits_become_the_upper_eight) {
  for (const char* name : {"a.png", "a.tif", "a.ppm"})
    ck_assert_msg(same(read_back(name, sixteen_bits(ramps())), rgb_of(ramps())), "%s", name);
}
END_TEST

START_TEST(sixteen_bit_grey_is_read) {
  cv::Mat grey, expected;
  cv::extractChannel(ramps(), grey, 1);
  cv::cvtColor(grey, expected, cv::COLOR_GRAY2RGB);
  ck_assert(same(read_back("a.png", sixteen_bits(grey)), expected));
}
END_TEST

START_TEST(transparency_is_dropped) {
  cv::Mat transparent;
  cv::cvtColor(ramps(), transparent, cv::COLOR_BGR2BGRA);
  for (int x = 0; x < transparent.cols; ++x)
    transparent.col(x).forEach<cv::Vec4b>(
        [x](cv::Vec4b& pixel, const int*) { pixel[3] = static_cast<uchar>(7 * x); });
  ck_assert(same(read_back("a.png", transparent), rgb_of(ramps())));
}
END_TEST

START_TEST(cmyk_is_inverted_as_adobe_has_it) {
  const TemporaryFolder folder;
  write_file(folder / "a.jpg", cmyk_jpeg());
  const cv::Mat image = read_rgb(folder / "a.jpg");
  ck_assert(image.size() == cv::Size(16, 16));
  // Two programs round JPEG apart by 1.
  ck_assert_double_le(cv::norm(image.at<cv::Vec3b>(3, 3), cv::Vec3b(190, 49, 119), cv::NORM_INF),
                      1);
  ck_assert_double_le(cv::norm(image.at<cv::Vec3b>(3, 12), cv::Vec3b(23, 126, 159), cv::NORM_INF),
                      1);
}
END_TEST

START_TEST(a_grey_picture_of_floats_is_refused_with_one_reason) {
  const TemporaryFolder folder;
  cv::imwrite(folder.file("a.tif"), cv::Mat(8, 8, CV_32F, cv::Scalar(0.5)));
  try {
    read_rgb(folder / "a.tif");
    ck_abort_msg("not refused");
  } catch (const Error& error) {
    const std::string message = error.what();
    ck_assert(message.starts_with("\"" + folder.file("a.tif") + "\" can't be read: "));
    ck_assert(message.find("WARN") == std::string::npos);
    ck_assert(message.find('\n') == std::string::npos);
  }
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("images");
  TCase* all = tcase_create("images");
  for (const TTest* test :
       {grey_becomes_three_equal_channels, sixteen_bits_become_the_upper_eight,
        sixteen_bit_grey_is_read, transparency_is_dropped, cmyk_is_inverted_as_adobe_has_it,
        a_grey_picture_of_floats_is_refused_with_one_reason})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
