// SPDX-License-Identifier: LGPL-2.1-or-later
// The product: a brushed metal plate of 80 x 64 mm with a turned flange, screw holes and a
// printed label. All lengths are in millimetres from the centre of the plate, x to the right and
// y down, unless a name says px.
#pragma once

#include <span>

#include "texture.hpp"

namespace scene {

constexpr double kPlateWidth = 80;
constexpr double kPlateHeight = 64;
inline const cv::Vec3f kMetal(0.615F, 0.605F, 0.595F);  // blue, green, red

struct Hole {
  cv::Point2d centre;
  double radius;
  double face;  // height of the surface it is bored into
};

// The screw holes of a good part: four in the corners, six around the flange.
std::span<const Hole> screw_holes();
constexpr double kCountersink = 0.8;  // width of the bevel around a screw hole

// What a part is like at each point, before light falls on it. A defect changes these layers, so
// that a dent is lit, and a scratch shines, by the same rules as the rest of the part.
struct Surface {
  double scale;  // pixels of the layers per millimetre
  Color albedo;  // colour in plain light
  Gray cover;    // 1 on the part, 0 beside it
  Gray height;   // millimetres above the face of the plate
  Gray bore;     // 1 inside a hole
  Gray gloss;    // 0 matt, 1 metal
  Gray finish;   // brightness that brushing or turning gives to metal, around 1
  Gray ink;      // density of the black print, 0 to 1

  cv::Size size() const { return cover.size(); }
  Surface clone() const;

  cv::Point2d to_px(cv::Point2d mm) const;
  cv::Point2d to_mm(cv::Point px) const;
  // The pixels within `reach` millimetres, along each axis, of the line between two points.
  cv::Rect around(cv::Point2d first, cv::Point2d last, double reach) const;
};

// Calls visit(position in millimetres, pixel) for every pixel of `area`, or of the whole surface.
template <class Visit>
void for_each_point(const Surface& surface, cv::Rect area, Visit visit) {
  for (int y = area.y; y < area.br().y; ++y) {
    for (int x = area.x; x < area.br().x; ++x) visit(surface.to_mm({x, y}), cv::Point(x, y));
  }
}

template <class Visit>
void for_each_point(const Surface& surface, Visit visit) {
  for_each_point(surface, cv::Rect({}, surface.size()), visit);
}

// A good part with its natural variation, drawn with `scale` pixels per millimetre.
Surface make_surface(double scale, Random& random);

// The part as light shows it, ready to be laid over a belt: channels 0 to 2 are the colour that
// the part adds, channel 3 is the share of the belt's light that its body and shadow take away.
using Layer = cv::Mat_<cv::Vec4f>;
Layer light_surface(const Surface& surface);

}  // namespace scene
