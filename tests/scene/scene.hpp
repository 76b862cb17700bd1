// SPDX-License-Identifier: LGPL-2.1-or-later
// The whole scene: parts on a moving belt, under the lamp, seen by the camera.
#pragma once

#include <map>
#include <span>
#include <string_view>

#include "camera.hpp"
#include "defects.hpp"
#include "part.hpp"

namespace scene {

struct Frame {
  cv::Mat image;          // 8-bit blue, green, red
  cv::Mat mask;           // 8-bit, 255 where a defect changed the picture and 0 elsewhere
  int defect_pixels;      // how many are 255
  std::string_view kind;  // the most visible defect, or "good"
};

// A frame with fewer defect pixels than this counts as good: a person would not see it either.
constexpr int kVisiblePixels = 25;

struct SceneOptions {
  cv::Size size;            // of a picture, in pixels
  std::uint64_t seed = 0;   // every picture is a function of this and of its number
  double defect_share = 0;  // of the parts in a video, 0 to 1
  int across = 1;           // parts that a picture has room for side by side
};

// What can be wrong with a tray though each part on it is good: one isn't there, or one lies where
// none should.
std::span<const DefectKind> tray_defects();

class Scene {
 public:
  explicit Scene(const SceneOptions& options);

  // Frame `index` (from 0) of the belt in motion. Parts travel from left to right.
  Frame video_frame(int index);

  // A picture of one part near the centre: part `index` of a stream, with a defect unless null.
  Frame still(Stream stream, int index, const DefectKind* defect);

  // A picture of a tray with three by three places, of a scene that is three across: those on the
  // left and right hold a part or not, of those in the middle the upper and the lower one do and
  // the one between them doesn't. defect: of tray_defects(), in the middle, or null.
  Frame tray(Stream stream, int index, const DefectKind* defect);

 private:
  struct Part {
    Layer good;
    Layer actual;              // the same part with its defect
    const DefectKind* defect;  // null on a good part
    cv::Point2d stray;         // from its place on the belt, in millimetres
    double angle;              // in degrees
  };

  struct Placed {
    const Part* part;
    cv::Point2d centre;  // in pixels
  };

  Part make_part(Stream stream, int index, const DefectKind* defect) const;
  const DefectKind* scheduled_defect(int part) const;
  std::vector<Part> parts_on_tray(Stream stream, int index, const DefectKind* defect) const;
  std::vector<Placed> parts_in_view(double travel);
  Placed place(const Part& part, cv::Point2d centre) const;
  Frame take(const std::vector<Placed>& parts, double travel, const Exposure& exposure,
             Random& random) const;
  Color compose(const std::vector<Placed>& parts, double travel, bool with_defects) const;
  void find_defects(const std::vector<Placed>& parts, const Color& good, const Color& actual,
                    Frame& frame) const;
  cv::Rect area(const Placed& placed) const;

  SceneOptions options_;
  double px_per_mm_;
  int belt_period_;  // in pixels
  Color belt_;
  Sensor sensor_;
  std::map<int, Part> video_parts_;  // those in view
};

}  // namespace scene
