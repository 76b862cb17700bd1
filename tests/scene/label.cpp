// SPDX-License-Identifier: LGPL-2.1-or-later
#include "label.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "shape.hpp"

namespace scene {
namespace {

// Draws black print in millimetres of the part, at a sixteenth of a pixel.
class Printer {
 public:
  explicit Printer(const Surface& surface)
      : surface_(surface), plate_(surface.size(), std::uint8_t{0}) {}

  void polygon(const std::vector<cv::Point2d>& corners, int density = 255) {
    std::vector<cv::Point> fixed;
    for (const cv::Point2d& corner : corners) fixed.push_back(fixed_point(corner));
    cv::fillConvexPoly(plate_, fixed, density, cv::LINE_AA, kShift);
  }

  void bar(double left, double top, double width, double height) {
    const double right = left + width;
    const double bottom = top + height;
    polygon({{left, top}, {right, top}, {right, bottom}, {left, bottom}});
  }

  void circle(cv::Point2d centre, double radius, int density = 255) {
    const int radius_px = static_cast<int>(std::lround(radius * surface_.scale * kOne));
    cv::circle(plate_, fixed_point(centre), radius_px, density, cv::FILLED, cv::LINE_AA, kShift);
  }

  void text(const char* words, cv::Point2d left_base, double letter_height) {
    constexpr double kHersheyHeight = 21;  // pixels of a capital letter at font scale 1
    const double font_scale = letter_height * surface_.scale / kHersheyHeight;
    const int pen =
        std::max(1, static_cast<int>(std::lround(0.1 * letter_height * surface_.scale)));
    cv::putText(plate_, words, surface_.to_px(left_base), cv::FONT_HERSHEY_DUPLEX, font_scale, 255,
                pen, cv::LINE_AA);
  }

  Gray ink() const {
    Gray density;
    plate_.convertTo(density, CV_32F, 1 / 255.0);
    return density;
  }

 private:
  static constexpr int kShift = 4;
  static constexpr int kOne = 1 << kShift;

  cv::Point fixed_point(cv::Point2d mm) const { return surface_.to_px(mm) * kOne; }

  const Surface& surface_;
  cv::Mat_<std::uint8_t> plate_;
};

void print_logo(Printer& printer, cv::Point2d centre) {
  const auto hexagon = [centre](double radius) {
    std::vector<cv::Point2d> corners;
    for (int i = 0; i < 6; ++i) {
      const double angle = std::numbers::pi * (i / 3.0 + 1 / 6.0);
      corners.push_back(centre + radius * cv::Point2d(std::cos(angle), std::sin(angle)));
    }
    return corners;
  };
  printer.polygon(hexagon(5.2));
  printer.polygon(hexagon(3.9), 0);
  printer.circle(centre, 2.3);
  printer.circle(centre + cv::Point2d(0.7, -0.7), 0.9, 0);
}

void print_bar_code(Printer& printer, cv::Point2d top_left) {
  // Widths of bars and gaps in turn, in modules of 0.55 mm; 45 modules in all.
  constexpr std::array kWidths{2, 1, 1, 2, 3, 1, 1, 1, 2, 2, 1, 3, 1, 1, 2,
                               1, 3, 1, 1, 2, 2, 1, 1, 1, 3, 1, 1, 1, 2};
  constexpr double kModule = 0.55;
  double x = top_left.x;
  for (std::size_t i = 0; i < kWidths.size(); ++i) {
    const double width = kWidths[i] * kModule;
    if (i % 2 == 0) printer.bar(x, top_left.y, width, 7.5);
    x += width;
  }
}

Gray draw_print(const Surface& surface) {
  Printer printer(surface);
  print_logo(printer, {12.6, -8.2});
  printer.text("PC-40", {19.4, -8.9}, 2.5);
  printer.text("M8x12", {19.4, -4.5}, 2.5);
  printer.text("LOT 73-02A", {7.3, 3.6}, 2.5);
  printer.bar(7.3, 5.2, 24.4, 0.45);
  print_bar_code(printer, {7.3, 7.6});
  return printer.ink();
}

// Up to `limit` along each axis.
cv::Point2d misplacement(double limit, Random& random) {
  const double x = random.uniform(-limit, limit);
  return {x, random.uniform(-limit, limit)};
}

}  // namespace

void lay_label(Surface& surface, Random& random) {
  const cv::Vec3f paper(0.835F, 0.865F, 0.87F);
  const cv::Vec3f blue(0.56F, 0.36F, 0.13F);
  const cv::Point2d centre = cv::Point2d(kLabelX, 0) + misplacement(0.3, random);
  const Gray mottle = grain(surface.size(), cv::Size2d(3, 3) * surface.scale, random);
  for_each_point(surface, [&](cv::Point2d mm, cv::Point px) {
    const cv::Point2d at = mm - centre;
    const double distance = rounded_box(at, {kLabelWidth / 2, kLabelHeight / 2}, 2);
    const double share = inside(distance, surface.scale);
    const double band = inside(at.y + kLabelHeight / 2 - 4, surface.scale);
    const double tone = 1 + 0.008 * mottle(px);
    surface.albedo(px) =
        blend(surface.albedo(px), blend(paper, blue, band) * static_cast<float>(tone), share);
    surface.gloss(px) *= static_cast<float>(1 - share);
    surface.height(px) += static_cast<float>(0.12 * smooth_step(0.3, -0.3, distance));
  });
}

void print_label(Surface& surface, Random& random) {
  const cv::Point2d offset = misplacement(0.4, random);
  const cv::Point2d pivot = surface.to_px({kLabelX, 0});
  cv::Mat_<double> place = cv::getRotationMatrix2D(pivot, random.uniform(-0.6, 0.6), 1);
  place(0, 2) += offset.x * surface.scale;
  place(1, 2) += offset.y * surface.scale;
  cv::warpAffine(draw_print(surface), surface.ink, place, surface.size());

  const double density = random.uniform(0.86, 0.97);
  const Gray mottle = grain(surface.size(), cv::Size2d(1.5, 1.5) * surface.scale, random);
  for_each_point(surface, [&](cv::Point2d, cv::Point px) {
    const double flow = std::clamp(density * (1 + 0.035 * mottle(px)), 0.0, 1.0);
    surface.ink(px) *= static_cast<float>(flow);
  });
}

}  // namespace scene
