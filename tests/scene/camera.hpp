// SPDX-License-Identifier: LGPL-2.1-or-later
// The lamp and the camera: uneven and drifting light, a lens slightly out of focus, a noisy
// sensor.
#pragma once

#include "texture.hpp"

namespace scene {

// How a picture is taken at one moment.
struct Exposure {
  double gain;      // brightness of the lamp, around 1
  cv::Vec2d tilt;   // change of brightness from the centre to the right and the lower edge
  double vignette;  // loss of brightness in the corners, 0 to 1
  double defocus;   // Gaussian blur of the lens in pixels
};

// The exposure `time` frames into a recording; it drifts over hundreds of frames.
Exposure exposure_at(double time, std::uint64_t seed);

// What the lens throws on the sensor: 0 is black and 255 the brightest that it can record.
Color expose(const Color& view, const Exposure& exposure);

// A sensor for pictures of one size.
class Sensor {
 public:
  Sensor(cv::Size size, std::uint64_t seed);

  // The 8-bit picture of what `expose` returned, with noise that grows with brightness.
  cv::Mat record(const Color& exposed, Random& random) const;

 private:
  cv::Size size_;
  Color noise_;  // larger than a picture, so that each can use another cut-out
};

}  // namespace scene
