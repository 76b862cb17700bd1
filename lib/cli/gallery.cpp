// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gallery.hpp"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "drawing.hpp"
#include "error.hpp"
#include "normalization.hpp"
#include "pixels.hpp"

namespace patchcore::cli {
namespace {

std::string jpeg(const cv::Mat& rgb) {
  constexpr int kQuality = 85;
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uchar> bytes;
  if (!cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, kQuality}))
    throw Error(ErrorCode::Failed, "OpenCV can't encode JPEG.");
  return {bytes.begin(), bytes.end()};
}

/// A line around what is defective, white between black, which shows on any picture.
void outline(cv::Mat& rgb, const cv::Mat& mask) {
  if (mask.empty()) return;
  cv::Mat small, around;
  cv::resize(mask, small, rgb.size(), 0, 0, cv::INTER_AREA);
  cv::dilate(small > 0, around, {}, {-1, -1}, 3);  // so that the line hides nothing of it
  std::vector<std::vector<cv::Point>> lines;
  cv::findContours(around, lines, cv::RETR_LIST, cv::CHAIN_APPROX_NONE);
  cv::drawContours(rgb, lines, -1, cv::Scalar::all(0), 3);
  cv::drawContours(rgb, lines, -1, cv::Scalar::all(255), 1);
}

/// Mixes a colour into a pixel, the more the higher its value (0..1) is.
void heat(cv::Vec3b& pixel, double shade, const std::array<Colour, 256>& colours) {
  constexpr double kMost = 0.75;
  const double value = shade > 0 ? std::min(shade, 1.0) : 0;  // and where it is NaN
  const double opacity = kMost * value;
  const Colour& colour = colours[static_cast<size_t>(value * 255)];
  const auto mix = [&](uchar& channel, uint8_t with) {
    channel = cv::saturate_cast<uchar>(channel * (1 - opacity) + with * opacity);
  };
  mix(pixel[0], colour.red);
  mix(pixel[1], colour.green);
  mix(pixel[2], colour.blue);
}

/// Puts an exhibit where it belongs, if it belongs to the first `size`.
template <typename Worse, typename Draw>
void offer(std::vector<Exhibit>& exhibits, size_t size, double score, Worse worse, Draw draw) {
  if (size == 0 || (exhibits.size() == size && !worse(score, exhibits.back().score))) return;
  const auto place = std::find_if(exhibits.begin(), exhibits.end(), [&](const Exhibit& exhibit) {
    return worse(score, exhibit.score);
  });
  exhibits.insert(place, draw());
  if (exhibits.size() > size) exhibits.pop_back();
}

}  // namespace

double Gallery::shade(double value, double least, double largest) const {
  if (calibration_.valid())
    return Normalization(calibration_.pixel_threshold, calibration_.pixel_median).normalized(value);
  return largest > least ? (value - least) / (largest - least) : 0;
}

void Gallery::shade_with(const Processed& image, cv::Mat& picture) const {
  static const std::array<Colour, 256> colours = colormap("turbo");
  const cv::Rect inside = pixels_inside(image.geometry.region, picture.size());
  if (inside.empty()) return;
  cv::Mat values;
  cv::resize(input_map(image), values, inside.size(), 0, 0, cv::INTER_LINEAR);
  double least = 0, largest = 0;
  cv::minMaxIdx(values, &least, &largest);
  picture(inside).forEach<cv::Vec3b>([&](cv::Vec3b& pixel, const int* place) {
    heat(pixel, shade(values.at<float>(place[0], place[1]), least, largest), colours);
  });
}

Exhibit Gallery::draw(const Processed& image, const std::string& kind, const cv::Mat& mask) const {
  cv::Mat picture = image.preview.clone(), heated = image.preview.clone();
  shade_with(image, heated);
  outline(picture, mask);
  outline(heated, mask);
  return {image.result.score, kind + "/" + image.file.name, jpeg(picture), jpeg(heated),
          picture.size()};
}

void Gallery::offer_good(const Processed& image) {
  offer(false_alarms_, size_, image.result.score, std::greater<>(),
        [&] { return draw(image, "good", {}); });
}

void Gallery::offer_defective(const Processed& image, const std::string& kind,
                              const cv::Mat& mask) {
  offer(misses_, size_, image.result.score, std::less<>(),
        [&] { return draw(image, kind, mask.empty() ? mask : cv::Mat(mask > kGoodUpTo)); });
}

}  // namespace patchcore::cli
