// SPDX-License-Identifier: LGPL-2.1-or-later
// A report as a browser shows it: headless Chromium, where it is installed.
#include <glib.h>

#include <algorithm>

#include "report_files.hpp"

using namespace workshop;
namespace fs = std::filesystem;

namespace {

std::string browser() {
  for (const char* name : {"chromium-headless-shell", "chromium", "google-chrome"}) {
    char* path = g_find_program_in_path(name);
    const std::string found = path ? path : "";
    g_free(path);
    if (!found.empty()) return found;
  }
  return "";
}

/// Opens the file and returns standard output. Only a file of this test is opened, so that no
/// sandbox is needed, which root and containers can't have.
std::string browse(const fs::path& file, const Arguments& more) {
  const std::string profile = "--user-data-dir=" + fresh().string();
  Arguments arguments = join({browser(), "--headless", "--no-sandbox", "--disable-gpu",
                              "--disable-dev-shm-usage", "--hide-scrollbars", profile},
                             more);
  arguments.push_back("file://" + file.string());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* out = nullptr;
  int status = 0;
  GError* error = nullptr;
  if (!g_spawn_sync(nullptr, argv.data(), nullptr, G_SPAWN_STDERR_TO_DEV_NULL, nullptr, nullptr,
                    &out, nullptr, &status, &error))
    ck_abort_msg("%s", error->message);
  ck_assert_int_eq(status, 0);
  const std::string text = out;
  g_free(out);
  return text;
}

START_TEST(a_browser_shows_all_sections_and_pictures) {
  const fs::path file = fresh() / "report.html";
  report(file, shared("data"));
  const std::string dom = browse(file, {"--dump-dom"});
  for (const char* part :
       {"id=\"metrics\"", "id=\"scores\"", "id=\"misses\"", "id=\"false-alarms\"", "id=\"bank\""})
    ck_assert_msg(dom.find(part) != std::string::npos, "%s", part);
}
END_TEST

/// The share of pixels that have, about, this colour.
double share_of(const cv::Mat& bgr, const cv::Scalar& colour, double tolerance) {
  cv::Mat near;
  cv::inRange(bgr, colour - cv::Scalar::all(tolerance), colour + cv::Scalar::all(tolerance), near);
  return static_cast<double>(cv::countNonZero(near)) / static_cast<double>(bgr.total());
}

/// The shared data set and spots of all strengths, so that there are bars of both kinds all along.
fs::path graded() {
  const fs::path data = fresh();
  fs::copy(shared("data"), data, fs::copy_options::recursive);
  constexpr int kGrades = 12;
  for (int i = 0; i < kGrades; ++i) {
    const cv::Mat picture = stripes(40 + i);
    cv::Mat mask(picture.size(), CV_8U, cv::Scalar(0)), dark = picture * (1 - (i + 1.0) / kGrades);
    mask(cv::Rect(20, 24, 18, 18)).setTo(255);
    dark.copyTo(picture, mask);
    const std::string name = "graded" + std::to_string(i);
    cv::imwrite(data / "test/spot" / (name + ".png"), picture);
    cv::imwrite(data / "ground_truth/spot" / (name + "_mask.png"), mask);
    cv::imwrite(data / "test/good" / (name + ".png"), stripes(80 + i));
  }
  return data;
}

START_TEST(a_screenshot_has_text_bars_and_pictures_on_white) {
  const fs::path folder = fresh(), file = folder / "report.html";
  report(file, graded());
  const std::string shot = folder / "shot.png";
  browse(file, {"--screenshot=" + shot, "--window-size=1160,2400"});
  const cv::Mat image = cv::imread(shot);
  ck_assert(image.size() == cv::Size(1160, 2400));
  ck_assert_double_gt(share_of(image, {255, 255, 255}, 0), 0.4);
  ck_assert_double_gt(share_of(image, {0x2c, 0x20, 0x1a}, 8), 0.001);  // the text
  // The two kinds of bars, 65 % blue and orange on white.
  ck_assert_double_gt(share_of(image, {0xcf, 0x9f, 0x74}, 8), 0.002);
  ck_assert_double_gt(share_of(image, {0x6e, 0xa0, 0xe9}, 8), 0.002);
  // Shades of the pictures' stripes, which nothing else on the page has so much of.
  ck_assert_double_gt(share_of(image, {130, 130, 130}, 60), 0.05);
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  if (browser().empty()) return skip_suite("there is no Chromium");
  return run_tests(argc, argv, "report-browser",
                   {a_browser_shows_all_sections_and_pictures,
                    a_screenshot_has_text_bars_and_pictures_on_white});
}
