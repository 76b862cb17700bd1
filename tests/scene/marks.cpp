// SPDX-License-Identifier: LGPL-2.1-or-later
#include "marks.hpp"

#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "shape.hpp"

namespace scene {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

struct Nearest {
  double distance;
  double along;  // 0 at the first end of the segment, 1 at the last
};

Nearest nearest_on_segment(cv::Point2d at, cv::Point2d first, cv::Point2d last) {
  const cv::Point2d line = last - first;
  const double along = std::clamp((at - first).dot(line) / line.dot(line), 0.0, 1.0);
  return {length(at - first - line * along), along};
}

}  // namespace

cv::Point2d heading(double angle) { return {std::cos(angle), std::sin(angle)}; }

Path wander(cv::Point2d start, double angle, double length, int steps, double turn, double bend,
            Random& random) {
  Path path{start};
  for (int i = 0; i < steps; ++i) {
    angle += bend + turn * random.normal();
    path.push_back(path.back() + length / steps * heading(angle));
  }
  return path;
}

Path zigzag(cv::Point2d start, double angle, double length, int steps, double jitter,
            Random& random) {
  Path path{start};
  for (int i = 0; i < steps; ++i) {
    path.push_back(path.back() + length / steps * heading(angle + jitter * random.normal()));
  }
  return path;
}

Gray draw_path(const Surface& surface, const Path& path, double first_width, double last_width) {
  Gray coverage(surface.size(), 0.0F);
  const double segments = static_cast<double>(path.size() - 1);
  const double reach = std::max(first_width, last_width) / 2;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const cv::Rect area = surface.around(path[i], path[i + 1], reach);
    for_each_point(surface, area, [&](cv::Point2d mm, cv::Point px) {
      const Nearest near = nearest_on_segment(mm, path[i], path[i + 1]);
      const double share = (static_cast<double>(i) + near.along) / segments;
      const double width = std::lerp(first_width, last_width, share);
      const double covered = inside(near.distance - width / 2, surface.scale);
      coverage(px) = std::max(coverage(px), static_cast<float>(covered));
    });
  }
  return coverage;
}

Blob::Blob(cv::Point2d centre, double radius, double irregularity, Random& random)
    : centre_(centre),
      radius_(radius),
      flatness_(random.uniform(0.65, 1)),
      tilt_(random.uniform(0, kTurn)) {
  for (int lobes = 2; lobes < 9; ++lobes) {
    const double height = irregularity * random.uniform(0.3, 1) / lobes;
    waves_.emplace_back(height, random.uniform(0, kTurn));
  }
}

double Blob::reach(cv::Point2d at) const {
  const cv::Point2d arm = at - centre_;
  const cv::Point2d axis = heading(tilt_);
  const cv::Point2d turned(arm.dot(axis), arm.cross(axis) / flatness_);
  const double angle = std::atan2(turned.y, turned.x);
  double outline = radius_;
  for (std::size_t i = 0; i < waves_.size(); ++i) {
    const double lobes = static_cast<double>(i + 2);
    outline += radius_ * waves_[i].x * std::cos(lobes * angle + waves_[i].y);
  }
  return length(turned) / outline;
}

cv::Rect Blob::area(const Surface& surface) const {
  return surface.around(centre_, centre_, 2 * radius_);
}

void deposit(Surface& surface, const Gray& coverage, cv::Vec3f color, double gloss) {
  for_each_point(surface, [&](cv::Point2d, cv::Point px) {
    const float share = coverage(px) * surface.cover(px);
    surface.albedo(px) = blend(surface.albedo(px), color, share);
    surface.gloss(px) = std::lerp(surface.gloss(px), static_cast<float>(gloss), share);
    surface.ink(px) *= 1 - share;
    surface.bore(px) *= 1 - share;
  });
}

void cast_shadow(Surface& surface, const Gray& coverage, double lift) {
  const double shift = lift * surface.scale;
  Gray dark;
  cv::warpAffine(coverage, dark, cv::Matx23d(1, 0, 0.45 * shift, 0, 1, 0.55 * shift),
                 surface.size());
  cv::GaussianBlur(dark, dark, {}, 0.3 * shift + 0.5);
  for_each_point(surface,
                 [&](cv::Point2d, cv::Point px) { surface.albedo(px) *= 1 - 0.5F * dark(px); });
}

}  // namespace scene
