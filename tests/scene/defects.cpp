// SPDX-License-Identifier: LGPL-2.1-or-later
#include "defects.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "label.hpp"
#include "marks.hpp"
#include "shape.hpp"

namespace scene {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// A point of the plate at least `margin` away from its edges.
cv::Point2d spot_on_plate(double margin, Random& random) {
  const double reach_x = kPlateWidth / 2 - margin;
  const double reach_y = kPlateHeight / 2 - margin;
  const double x = random.uniform(-reach_x, reach_x);
  return {x, random.uniform(-reach_y, reach_y)};
}

bool on_face(const Surface& part, cv::Point2d spot) {
  const cv::Point px(part.to_px(spot));
  const bool in_layers = cv::Rect({}, part.size()).contains(px);
  return in_layers && part.bore(px) == 0 && part.cover(px) == 1;
}

bool on_bare_metal(const Surface& part, cv::Point2d spot) {
  return on_face(part, spot) && part.gloss(cv::Point(part.to_px(spot))) == 1;
}

// A point outside of the holes, where a mark shows.
cv::Point2d spot_on_face(const Surface& part, double margin, Random& random) {
  cv::Point2d spot;
  do spot = spot_on_plate(margin, random);
  while (!on_face(part, spot));
  return spot;
}

// A point with nothing but metal around it up to `radius`.
cv::Point2d spot_on_metal(const Surface& part, double radius, Random& random) {
  while (true) {
    const cv::Point2d spot = spot_on_plate(radius + 1, random);
    bool bare = on_bare_metal(part, spot);
    for (double angle = 0; angle < kTurn; angle += kTurn / 12) {
      bare = bare && on_bare_metal(part, spot + radius * heading(angle));
    }
    if (bare) return spot;
  }
}

// Draws paths by lot until all of one lies beside the holes, where it shows.
template <class Draw>
Path path_on_face(const Surface& part, Draw draw) {
  while (true) {
    const Path path = draw();
    if (std::all_of(path.begin(), path.end(), [&](auto at) { return on_face(part, at); })) {
      return path;
    }
  }
}

// A groove: its fresh flanks shine on metal, and it cuts through the label down to grey metal.
void scratch(Surface& part, Random& random) {
  const Path path = path_on_face(part, [&random] {
    const cv::Point2d start = spot_on_plate(3, random);
    const double angle = random.uniform(0, kTurn);
    const double length = random.uniform(18, 34);
    return wander(start, angle, length, 24, 0.015, random.uniform(-0.02, 0.02), random);
  });
  const Gray line = draw_path(part, path, random.uniform(0.6, 0.9), 0.35);
  const double shine = random.uniform(1.4, 1.52);
  for_each_point(part, [&](cv::Point2d, cv::Point px) {
    const double share = 0.9 * line(px);
    const double fresh = std::lerp(0.6, shine, double(part.gloss(px)));
    part.albedo(px) = blend(part.albedo(px), kMetal * static_cast<float>(fresh), share);
    part.gloss(px) *= static_cast<float>(1 - share);
    part.ink(px) *= static_cast<float>(1 - share);
    part.height(px) -= static_cast<float>(0.16 * share);
  });
}

// A round bowl, which the lamp lights on one side and leaves dark on the other.
void dent(Surface& part, Random& random) {
  const double radius = random.uniform(4, 6);
  const Blob bowl(spot_on_metal(part, 0.7 * radius, random), radius, 0.03, random);
  const double depth = random.uniform(0.28, 0.36) * radius;
  for_each_point(part, bowl.area(part), [&](cv::Point2d mm, cv::Point px) {
    const double reach = bowl.reach(mm);
    if (reach >= 1) return;
    const double sunk = (1 - reach * reach) * (1 - reach * reach);
    part.height(px) -= static_cast<float>(depth * sunk);
    part.albedo(px) *= static_cast<float>(1 - 0.14 * sunk);
  });
}

// Dried oil: a brown film, darker towards its rim, that dulls the metal.
void stain(Surface& part, Random& random) {
  const cv::Point2d spot = spot_on_face(part, 12, random);
  const Blob drop(spot, random.uniform(5, 8.5), 0.3, random);
  const cv::Vec3f oil(0.42F, 0.60F, 0.74F);
  const double strength = random.uniform(0.5, 0.8);
  const Gray film = grain(part.size(), cv::Size2d(2.5, 2.5) * part.scale, random);
  for_each_point(part, drop.area(part), [&](cv::Point2d mm, cv::Point px) {
    const double reach = drop.reach(mm);
    const double rim = 0.35 * smooth_step(0.7, 0.97, reach);
    const double density = strength + rim + 0.07 * film(px);
    const double share = std::clamp(density, 0.0, 1.0) * smooth_step(1.05, 0.93, reach);
    part.albedo(px) = part.albedo(px).mul(blend(cv::Vec3f::all(1), oil, share));
    part.gloss(px) *= static_cast<float>(1 - 0.6 * share);
  });
}

// A screw hole that was never bored: the face of the metal runs on.
void missing_hole(Surface& part, Random& random) {
  const auto holes = screw_holes();
  const Hole& hole = holes[random.below(static_cast<int>(holes.size()))];
  const double reach = hole.radius + kCountersink + 0.2;
  const cv::Rect area = part.around(hole.centre, hole.centre, reach);
  for_each_point(part, area, [&](cv::Point2d mm, cv::Point px) {
    if (disc(mm, hole.centre, reach) > 0) return;
    part.bore(px) = 0;
    part.height(px) = static_cast<float>(hole.face);
  });
}

// A patch of print that never reached the label.
void lose_print(Surface& part, cv::Point2d spot, Random& random) {
  const Blob patch(spot, random.uniform(5, 7.5), 0.35, random);
  for_each_point(part, patch.area(part), [&](cv::Point2d mm, cv::Point px) {
    part.ink(px) *= static_cast<float>(smooth_step(0.88, 1.05, patch.reach(mm)));
  });
}

// Wet ink dragged sideways by something that touched it.
void smear_print(Surface& part, cv::Point2d spot, Random& random) {
  const Blob patch(spot, random.uniform(7, 9.5), 0.3, random);
  const int drag = 2 * static_cast<int>(random.uniform(2.5, 4) * part.scale) + 1;
  Gray dragged;
  cv::blur(part.ink, dragged, {drag, 1});
  for_each_point(part, patch.area(part), [&](cv::Point2d mm, cv::Point px) {
    const double share = smooth_step(1.05, 0.8, patch.reach(mm));
    const double smeared = std::min(1.0, 0.35 * part.ink(px) + 1.1 * dragged(px));
    part.ink(px) = static_cast<float>(std::lerp(double(part.ink(px)), smeared, share));
  });
}

// The label slipped under the print head: a strip of the print is out of line.
void slip_print(Surface& part, cv::Point2d spot, Random& random) {
  const double half_strip = random.uniform(2.5, 4);
  const double slip = random.sign() * random.uniform(2.2, 3.6);
  Gray slipped;
  cv::warpAffine(part.ink, slipped, cv::Matx23d(1, 0, slip * part.scale, 0, 1, 0), part.size());
  for_each_point(part, [&](cv::Point2d mm, cv::Point px) {
    const double share = inside(std::abs(mm.y - spot.y) - half_strip, part.scale);
    const bool on_label = std::abs(mm.x - kLabelX) < kLabelWidth / 2 - 0.5;
    const double moved = on_label ? slipped(px) : 0.0;
    part.ink(px) = static_cast<float>(std::lerp(double(part.ink(px)), moved, share));
  });
}

void misprint(Surface& part, Random& random) {
  constexpr std::array kWays{lose_print, smear_print, slip_print};
  // The logo, the two lines beside it, the line below and both halves of the bar code.
  const std::array<cv::Point2d, 5> blocks{
      {{12.6, -8.2}, {24.5, -7.8}, {16, 2.6}, {13, 11.3}, {26, 11.3}}};
  const auto way = kWays[random.below(static_cast<int>(kWays.size()))];
  way(part, blocks[random.below(static_cast<int>(blocks.size()))], random);
}

// A jagged split that runs inwards from the edge and may fork.
void crack(Surface& part, Random& random) {
  const cv::Point2d target = spot_on_plate(16, random);
  const double side = random.sign();
  const cv::Point2d start = random.below(2) == 0 ? cv::Point2d(target.x, side * kPlateHeight / 2)
                                                 : cv::Point2d(side * kPlateWidth / 2, target.y);
  const cv::Point2d inward = target - start;
  const double angle = std::atan2(inward.y, inward.x) + random.uniform(-0.35, 0.35);
  const double length = random.uniform(16, 26);
  const Path main = zigzag(start, angle, length, 14, 0.6, random);
  Gray gap = draw_path(part, main, random.uniform(0.65, 0.9), 0.25);
  const int forks = 1 + random.below(2);
  for (int i = 0; i < forks; ++i) {
    const cv::Point2d fork = main[4 + random.below(7)];
    const double aside = angle + random.sign() * random.uniform(0.5, 0.9);
    const Path branch = zigzag(fork, aside, random.uniform(5, 10), 6, 0.5, random);
    gap = cv::max(gap, draw_path(part, branch, 0.4, 0.2));
  }
  deposit(part, gap, {0.07F, 0.07F, 0.075F}, 0);
  part.height -= 0.1 * gap;
}

// A thread that lies on the part in loose curls.
void drop_fibre(Surface& part, Random& random) {
  const std::array<cv::Vec3f, 3> threads{
      {{0.42F, 0.16F, 0.10F}, {0.12F, 0.10F, 0.45F}, {0.10F, 0.10F, 0.11F}}};
  const Path path = path_on_face(part, [&random] {
    const cv::Point2d start = spot_on_plate(5, random);
    const double angle = random.uniform(0, kTurn);
    const double length = random.uniform(16, 28);
    return wander(start, angle, length, 36, 0.16, random.uniform(-0.09, 0.09), random);
  });
  const double width = random.uniform(0.5, 0.75);
  const Gray thread = draw_path(part, path, width, width);
  cast_shadow(part, thread, 1.2);
  deposit(part, thread, threads[random.below(3)], 0);
}

// A curled chip of metal from the lathe, one face in the light and one in shade.
void drop_chip(Surface& part, Random& random) {
  const Path curl = path_on_face(part, [&random] {
    const cv::Point2d start = spot_on_plate(5, random);
    const double angle = random.uniform(0, kTurn);
    const double bend = random.sign() * random.uniform(0.1, 0.32);
    return wander(start, angle, random.uniform(9, 15), 14, 0.05, bend, random);
  });
  const double width = random.uniform(2, 3);
  const Gray body = draw_path(part, curl, width, 0.5);
  Path ridge = curl;
  for (cv::Point2d& point : ridge) point -= cv::Point2d(0.3, 0.35);
  cast_shadow(part, body, 1.6);
  deposit(part, body, {0.16F, 0.19F, 0.22F}, 0.2);
  deposit(part, draw_path(part, ridge, 0.45 * width, 0.3), {0.80F, 0.86F, 0.90F}, 0);
}

void contamination(Surface& part, Random& random) {
  if (random.below(2) == 0) {
    drop_fibre(part, random);
  } else {
    drop_chip(part, random);
  }
}

}  // namespace

std::span<const DefectKind> defect_kinds() {
  static constexpr std::array<DefectKind, 7> kKinds{{{"scratch", scratch},
                                                     {"dent", dent},
                                                     {"stain", stain},
                                                     {"missing_hole", missing_hole},
                                                     {"misprint", misprint},
                                                     {"crack", crack},
                                                     {"contamination", contamination}}};
  return kKinds;
}

}  // namespace scene
