// SPDX-License-Identifier: LGPL-2.1-or-later
#include "part.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "label.hpp"
#include "shape.hpp"

namespace scene {
namespace {

constexpr double kMargin = 6;  // room around the plate for its shadow
constexpr double kBevel = 1.3;
const cv::Point2d kFlange(-15, 0);
constexpr double kFlangeRadius = 17;
constexpr double kFlangeFace = 0.8;
constexpr double kBoreRadius = 6.5;

constexpr double kPi = std::numbers::pi;

std::array<Hole, 10> lay_out_holes() {
  std::array<Hole, 10> holes;
  for (int i = 0; i < 4; ++i) {
    const cv::Point2d corner(i % 2 == 0 ? -34 : 34, i < 2 ? -26 : 26);
    holes[i] = {corner, 2.5, 0};
  }
  for (int i = 0; i < 6; ++i) {
    const double angle = kPi * (i / 3.0 + 1 / 6.0);
    const cv::Point2d around(std::cos(angle), std::sin(angle));
    holes[4 + i] = {kFlange + 12.2 * around, 1.6, kFlangeFace};
  }
  return holes;
}

Surface blank(double scale) {
  const cv::Size size(cv::saturate_cast<int>((kPlateWidth + 2 * kMargin) * scale),
                      cv::saturate_cast<int>((kPlateHeight + 2 * kMargin) * scale));
  const auto layer = [size](float value) { return Gray(size, value); };
  return {.scale = scale,
          .albedo = Color(size, cv::Vec3f::all(0)),
          .cover = layer(0),
          .height = layer(0),
          .bore = layer(0),
          .gloss = layer(1),
          .finish = layer(1),
          .ink = layer(0)};
}

// The outline with its bevel, the raised flange and a groove around the central bore.
void machine_relief(Surface& surface) {
  for_each_point(surface, [&](cv::Point2d mm, cv::Point px) {
    const double outline = rounded_box(mm, {kPlateWidth / 2, kPlateHeight / 2}, 5);
    const double radius = disc(mm, kFlange, 0);
    const double groove = smooth_step(0.7, 0.2, std::abs(radius - 8.8));
    const double height =
        kFlangeFace * smooth_step(kFlangeRadius + 0.3, kFlangeRadius - 0.7, radius) -
        0.25 * groove - 0.7 * std::clamp(outline + kBevel, 0.0, kBevel);
    surface.cover(px) = static_cast<float>(inside(outline, surface.scale));
    surface.height(px) = static_cast<float>(height);
  });
}

void bore_hole(Surface& surface, const Hole& hole, double bevel) {
  const cv::Rect area = surface.around(hole.centre, hole.centre, hole.radius + bevel);
  for_each_point(surface, area, [&](cv::Point2d mm, cv::Point px) {
    const double distance = disc(mm, hole.centre, hole.radius);
    const double sunk = 0.9 * std::clamp(bevel - distance, 0.0, bevel);
    surface.height(px) -= static_cast<float>(sunk);
    surface.bore(px) = std::max(surface.bore(px), float(inside(distance, surface.scale)));
  });
}

// Straight brush strokes on the plate, circles of the lathe's tool on the flange. Turned metal
// reflects the lamp in two opposite fans, which meet in the centre.
void finish_metal(Surface& surface, Random& random) {
  const cv::Size2d stroke = cv::Size2d(22, 0.3) * surface.scale;
  const Gray strokes = grain(surface.size(), stroke, random);
  const Gray turns = grain({1024, 1}, {3, 1}, random);
  const double fan_angle = random.uniform(-0.12, 0.12) - kPi / 4;
  const cv::Point2d fan_axis(std::cos(fan_angle), std::sin(fan_angle));
  const double band = random.uniform(-6, 6);
  const float tone = static_cast<float>(random.uniform(0.98, 1.02));
  const cv::Vec3f metal = kMetal * tone;

  for_each_point(surface, [&](cv::Point2d mm, cv::Point px) {
    const cv::Point2d arm = mm - kFlange;
    const double radius = length(arm);
    // The cosine of twice the angle between the arm and the fan.
    const double along = arm.dot(fan_axis) / (radius + 1e-9);
    const double fan = 2 * along * along - 1;
    const int turn = std::min(1023, static_cast<int>(radius * 24));
    const double turned = 0.97 + 0.15 * fan * std::abs(fan) + 0.03 * turns(0, turn);
    const double sheen = (mm.x * 0.3 + mm.y + band) / 26;
    const double brushed = 0.97 + 0.10 * std::exp(-sheen * sheen) + 0.032 * strokes(px);
    const double on_flange = inside(radius - kFlangeRadius, surface.scale);
    surface.finish(px) = static_cast<float>(std::lerp(brushed, turned, on_flange));
    surface.albedo(px) = metal;
  });
}

// How bright a matt and a shiny surface of a given slope look under the lamp up left.
struct Glow {
  double matt;   // 1 on a level surface
  double shine;  // 0 on a level surface, about 1 where it faces the lamp
};

Glow glow(double slope_x, double slope_y) {
  static const cv::Vec3d kLamp = cv::normalize(cv::Vec3d(-0.45, -0.55, 1));
  static const cv::Vec3d kHalfway = cv::normalize(kLamp + cv::Vec3d(0, 0, 1));
  const cv::Vec3d normal = cv::normalize(cv::Vec3d(-slope_x, -slope_y, 1));
  const auto gleam = [](double cosine) {  // its 24th power; std::pow would take far longer
    const double square = cosine * cosine;
    const double eighth = square * square * square * square;
    return eighth * eighth * eighth;
  };
  const double lit = std::max(0.0, normal.dot(kLamp)) / kLamp[2];
  return {0.45 + 0.55 * lit, gleam(normal.dot(kHalfway)) - gleam(kHalfway[2])};
}

// The bottom of a hole is dark; its far wall catches some light of the lamp.
Gray bore_walls(const Surface& surface) {
  const cv::Point shift(cv::saturate_cast<int>(0.55 * surface.scale),
                        cv::saturate_cast<int>(0.65 * surface.scale));
  const cv::Matx23d move(1, 0, -shift.x, 0, 1, -shift.y);
  Gray moved;
  cv::warpAffine(surface.bore, moved, move, surface.size());
  Gray wall = cv::max(surface.bore - moved, 0);
  cv::GaussianBlur(wall, wall, {}, 0.25 * surface.scale);
  return wall;
}

// The soft shadow that the body throws on the belt, away from the lamp; 0 to 1.
Gray shadow(const Surface& surface) {
  const cv::Matx23d move(1, 0, 1.3 * surface.scale, 0, 1, 1.6 * surface.scale);
  Gray dark;
  cv::warpAffine(surface.cover, dark, move, surface.size());
  cv::GaussianBlur(dark, dark, {}, 1.1 * surface.scale);
  return dark * 0.6;
}

}  // namespace

std::span<const Hole> screw_holes() {
  static const std::array kHoles = lay_out_holes();
  return kHoles;
}

Surface Surface::clone() const {
  return {.scale = scale,
          .albedo = albedo.clone(),
          .cover = cover.clone(),
          .height = height.clone(),
          .bore = bore.clone(),
          .gloss = gloss.clone(),
          .finish = finish.clone(),
          .ink = ink.clone()};
}

cv::Point2d Surface::to_px(cv::Point2d mm) const {
  return {mm.x * scale + (size().width - 1) / 2.0, mm.y * scale + (size().height - 1) / 2.0};
}

cv::Point2d Surface::to_mm(cv::Point px) const {
  return {(px.x - (size().width - 1) / 2.0) / scale, (px.y - (size().height - 1) / 2.0) / scale};
}

cv::Rect Surface::around(cv::Point2d first, cv::Point2d last, double reach) const {
  const cv::Point2d margin = cv::Point2d(1, 1) * (reach + 1 / scale);
  const cv::Point2d low(std::min(first.x, last.x), std::min(first.y, last.y));
  const cv::Point2d high(std::max(first.x, last.x), std::max(first.y, last.y));
  const cv::Rect box(to_px(low - margin), to_px(high + margin));
  return box & cv::Rect({}, size());
}

Surface make_surface(double scale, Random& random) {
  Surface surface = blank(scale);
  machine_relief(surface);
  finish_metal(surface, random);
  bore_hole(surface, {kFlange, kBoreRadius, kFlangeFace}, 1.0);
  for (const Hole& hole : screw_holes()) bore_hole(surface, hole, kCountersink);
  lay_label(surface, random);
  print_label(surface, random);
  return surface;
}

Layer light_surface(const Surface& surface) {
  // A Sobel kernel weighs differences over two pixels with 1 + 2 + 1; slopes are in mm per mm.
  Gray slope_x, slope_y;
  cv::Sobel(surface.height, slope_x, CV_32F, 1, 0, 3, surface.scale / 8);
  cv::Sobel(surface.height, slope_y, CV_32F, 0, 1, 3, surface.scale / 8);
  const Gray walls = bore_walls(surface);
  const Gray dark = shadow(surface);
  const cv::Vec3f ink(0.12F, 0.11F, 0.11F);
  const cv::Vec3f depth(0.055F, 0.06F, 0.06F);
  const cv::Vec3f wall(0.3F, 0.3F, 0.3F);

  Layer layer(surface.size());
  for_each_point(surface, [&](cv::Point2d, cv::Point px) {
    const Glow light = glow(slope_x(px), slope_y(px));
    const double gloss = surface.gloss(px) * (1 - surface.ink(px));
    const double finish = std::lerp(1.0, double(surface.finish(px)), gloss);
    const double brightness = light.matt * finish + light.shine * (0.08 + 0.5 * gloss);
    cv::Vec3f color = blend(surface.albedo(px), ink, surface.ink(px)) * float(brightness);
    color = blend(color, depth + wall * walls(px), surface.bore(px));
    const float cover = surface.cover(px);
    const float taken = cover + (1 - cover) * dark(px);
    layer(px) = {color[0] * cover, color[1] * cover, color[2] * cover, taken};
  });
  // The layer has more pixels than the picture; this keeps its finest details from aliasing.
  cv::GaussianBlur(layer, layer, {}, 0.7);
  return layer;
}

}  // namespace scene
