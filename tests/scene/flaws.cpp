// SPDX-License-Identifier: LGPL-2.1-or-later
#include "flaws.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "marks.hpp"
#include "shape.hpp"

namespace scene {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr double kShorterSide = 64;  // mm
constexpr int kVisible = 6;          // levels of 255

cv::Point2d spot(const Surface& surface, double margin, Random& random) {
  const double width = surface.size().width / surface.scale / 2 - margin;
  const double height = surface.size().height / surface.scale / 2 - margin;
  const double x = random.uniform(-width, width);
  return {x, random.uniform(-height, height)};
}

// A factor on brightness: darker or brighter by `least` to `most`.
float tone(double least, double most, Random& random) {
  const double change = random.uniform(least, most);
  return static_cast<float>(random.below(2) == 0 ? 1 - change : 1 + change);
}

void shade(Surface& surface, const Gray& coverage, float factor) {
  for_each_point(surface, [&](cv::Point2d, cv::Point px) {
    surface.albedo(px) *= 1 + coverage(px) * (factor - 1);
  });
}

void scratch(Surface& surface, Random& random) {
  const cv::Point2d start = spot(surface, 6, random);
  const double angle = random.uniform(0, kTurn), length = random.uniform(8, 36);
  const Path path = wander(start, angle, length, 24, 0.02, random.uniform(-0.03, 0.03), random);
  const double width = random.uniform(0.5, 1.1);
  shade(surface, draw_path(surface, path, width, 0.4), tone(0.25, 0.6, random));
}

void crack(Surface& surface, Random& random) {
  const cv::Point2d start = spot(surface, 6, random);
  const double angle = random.uniform(0, kTurn), length = random.uniform(8, 30);
  const Path path = zigzag(start, angle, length, 14, 0.6, random);
  const double width = random.uniform(0.5, 1);
  shade(surface, draw_path(surface, path, width, 0.3),
        1 - static_cast<float>(random.uniform(0.3, 0.7)));
}

void stain(Surface& surface, Random& random) {
  const double radius = random.uniform(3, 12);
  const Blob drop(spot(surface, radius, random), radius, 0.3, random);
  const double soft = random.uniform(0.05, 0.4);
  const float factor = tone(0.12, 0.3, random);
  for_each_point(surface, drop.area(surface), [&](cv::Point2d mm, cv::Point px) {
    const double share = smooth_step(1 + soft / 2, 1 - soft, drop.reach(mm));
    surface.albedo(px) *= 1 + static_cast<float>(share) * (factor - 1);
  });
}

// A hole as casting leaves it: dark, with a rim that the light catches.
void pit(Surface& surface, Random& random) {
  const double radius = random.uniform(0.8, 2.2);
  const Blob hole(spot(surface, 4, random), radius, 0.25, random);
  const double dark = random.uniform(0.3, 0.65), rim = random.uniform(0, 0.35);
  for_each_point(surface, hole.area(surface), [&](cv::Point2d mm, cv::Point px) {
    const double reach = hole.reach(mm);
    const double edge = rim * smooth_step(0.8, 1.05, reach) * smooth_step(1.4, 1.1, reach);
    surface.albedo(px) *= static_cast<float>(1 - dark * smooth_step(1.1, 0.7, reach) + edge);
  });
}

void fibre(Surface& surface, Random& random) {
  const cv::Point2d start = spot(surface, 6, random);
  const double angle = random.uniform(0, kTurn), length = random.uniform(10, 28);
  const Path path = wander(start, angle, length, 36, 0.16, random.uniform(-0.09, 0.09), random);
  const double width = random.uniform(0.4, 0.8);
  const Gray thread = draw_path(surface, path, width, width);
  cast_shadow(surface, thread, 1.2);
  deposit(surface, thread, cv::Vec3f::all(static_cast<float>(random.uniform(0.05, 0.9))), 0);
}

// A bowl, bright on the side that faces the light and dark on the other.
void dent(Surface& surface, Random& random) {
  const double radius = random.uniform(3, 8);
  const cv::Point2d centre = spot(surface, radius, random);
  const Blob bowl(centre, radius, 0.05, random);
  const cv::Point2d light = heading(random.uniform(0, kTurn));
  const double depth = random.uniform(0.25, 0.6);
  for_each_point(surface, bowl.area(surface), [&](cv::Point2d mm, cv::Point px) {
    const double reach = bowl.reach(mm);
    if (reach >= 1) return;
    const double slope = (mm - centre).dot(light) / radius * 2.6 * (1 - reach * reach);
    surface.albedo(px) *= static_cast<float>(1 + depth * slope);
  });
}

// A patch whose texture is coarser than it should be.
void rough_patch(Surface& surface, Random& random) {
  const double radius = random.uniform(4, 12);
  const Blob patch(spot(surface, radius, random), radius, 0.35, random);
  const double size = random.uniform(0.5, 2), strength = random.uniform(0.06, 0.16);
  const Gray film = grain(surface.size(), cv::Size2d(size, size) * surface.scale, random);
  for_each_point(surface, patch.area(surface), [&](cv::Point2d mm, cv::Point px) {
    const double share = smooth_step(1.05, 0.8, patch.reach(mm));
    surface.albedo(px) *= static_cast<float>(1 + share * strength * film(px));
  });
}

}  // namespace

Surface surface_of(const cv::Mat& picture) {
  const auto layer = [&](float value) { return Gray(picture.size(), value); };
  Surface surface{.scale = std::min(picture.rows, picture.cols) / kShorterSide,
                  .albedo = {},
                  .cover = layer(1),
                  .height = layer(0),
                  .bore = layer(0),
                  .gloss = layer(0),
                  .finish = layer(1),
                  .ink = layer(0)};
  picture.convertTo(surface.albedo, CV_32F, 1.0 / 255);
  return surface;
}

std::span<const DefectKind> flaw_kinds() {
  static constexpr std::array<DefectKind, 7> kKinds{{{"scratch", scratch},
                                                     {"crack", crack},
                                                     {"stain", stain},
                                                     {"pit", pit},
                                                     {"fibre", fibre},
                                                     {"dent", dent},
                                                     {"rough", rough_patch}}};
  return kKinds;
}

Flawed with_flaw(const cv::Mat& picture, const DefectKind& kind, Random& random) {
  Surface surface = surface_of(picture);
  kind.inflict(surface, random);
  Flawed flawed;
  surface.albedo.convertTo(flawed.picture, CV_8U, 255);
  cv::Mat change, channels[3];
  cv::absdiff(picture, flawed.picture, change);
  cv::split(change, channels);
  flawed.mask = cv::max(cv::max(channels[0], channels[1]), channels[2]) >= kVisible;
  return flawed;
}

}  // namespace scene
