// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/frames.hpp"

#include <algorithm>
#include <cmath>

#include "cuda/module.hpp"
#include "error.hpp"
#include "sampled_image.hpp"

namespace patchcore::cuda {
namespace {

constexpr int32_t kMostSub = 4;

Component component_of(const Samples& s) {
  return {
      const_cast<uint8_t*>(s.data), s.stride, s.columns, s.rows, s.step, s.bytes, s.shift, s.depth};
}

/// The first sample, and how many, that may have their middle in a rectangle's side.
struct Span {
  int64_t first = 0, count = 0;

  Span(double begin, double extent, int64_t size, int32_t sub) {
    const auto pixel = [&](double at) {
      return static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(size)));
    };
    first = pixel(std::floor(begin)) >> sub;
    const int64_t end = pixel(std::ceil(begin + extent));
    count = ((end + (int64_t{1} << sub) - 1) >> sub) - first;
  }
};

}  // namespace

void resize(const Preprocess& preprocess, const SampledImage& frame, InputValues values, void* out,
            const Kernels& kernels, Stream stream) {
  check_samples(frame);
  const InputGeometry g = preprocess.geometry({frame.width, frame.height}, frame.pixel_aspect);
  Resize r{};
  for (size_t i = 0; i < 3; ++i) {
    r.components[i] = component_of(frame.components[i]);
    std::copy_n(frame.to_rgb[i].data(), 4, r.to_rgb[i]);
  }
  r.resized_width = g.resized.width;
  r.resized_height = g.resized.height;
  r.out_left = g.left;
  r.out_top = g.top;
  r.out_width = g.input.width;
  r.out_height = g.input.height;
  r.out = out;
  r.to = values == InputValues::Bytes ? Type::Byte : Type::Float;
  r.rounded = values == InputValues::Normalised && !preprocess.wants_floats();
  r.normalised = values == InputValues::Normalised;
  std::copy_n(Preprocess::mean().const_data_ptr<float>(), 3, r.mean);
  std::copy_n(Preprocess::deviation().const_data_ptr<float>(), 3, r.deviation);
  check(kernels.resize(r, stream));
}

void paint(const Samples& on, Paint p, const Kernels& kernels, Stream stream) {
  check_samples(on);
  if (!p.pixels || p.picture_width < 1 || p.picture_height < 1 || p.width < 1 || p.height < 1 ||
      !(p.w > 0) || !(p.h > 0) || !std::isfinite(p.x + p.w) || !std::isfinite(p.y + p.h))
    throw Error(ErrorCode::InvalidArgument, "A picture or where it is to go has no size.");
  if (p.sub_x < 0 || p.sub_x > kMostSub || p.sub_y < 0 || p.sub_y > kMostSub)
    throw Error(ErrorCode::InvalidArgument, "A frame's samples can't be of so many pixels.");
  const Span across(p.x, p.w, p.width, p.sub_x), down(p.y, p.h, p.height, p.sub_y);
  p.on = component_of(on);
  p.first_x = across.first;
  p.columns = std::min(across.count, p.on.columns - across.first);
  p.first_y = down.first;
  p.rows = std::min(down.count, p.on.rows - down.first);
  if (p.columns > 0 && p.rows > 0) check(kernels.paint(p, stream));
}

}  // namespace patchcore::cuda
