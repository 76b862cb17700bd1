// SPDX-License-Identifier: LGPL-2.1-or-later
#include "preprocess.hpp"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>

#include "error.hpp"
#include "sampled_image.hpp"

namespace patchcore {
namespace {

int round_to(int value, int multiple) {
  return std::max(multiple, (value + multiple / 2) / multiple * multiple);
}

/// As options have it, which messages tell of.
std::string as_option(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

/// The size in square pixels, none lost.
Size shown(Size frame, double pixel_aspect) {
  if (!(pixel_aspect >= 1.0 / 64 && pixel_aspect <= 64))
    throw Error(ErrorCode::InvalidArgument, "Pixels of " + std::to_string(pixel_aspect) +
                                                " times their height have no shape to go by.");
  const auto stretched = [](int side, double by) {
    return static_cast<int>(std::min<double>(std::lround(side * by), 1 << 24));
  };
  return pixel_aspect >= 1 ? Size{stretched(frame.width, pixel_aspect), frame.height}
                           : Size{frame.width, stretched(frame.height, 1 / pixel_aspect)};
}

/// torchvision's Resize(int): the longer side is cut off, not rounded.
Size resize_shorter_side(Size frame, int side) {
  const int64_t longer = std::max(frame.width, frame.height);
  const int64_t shorter = std::min(frame.width, frame.height);
  const int other = static_cast<int>(std::min<int64_t>(side * longer / shorter, 1 << 16));
  return frame.width <= frame.height ? Size{side, other} : Size{other, side};
}

/// torchvision's CenterCrop: Python rounds halves to even.
int crop_offset(int size, int crop) {
  return static_cast<int>(std::nearbyint((size - crop) / 2.0));
}

struct Layout {
  int bytes, red, green, blue;
};

Layout layout_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::RGB: return {3, 0, 1, 2};
    case PixelFormat::BGR: return {3, 2, 1, 0};
    case PixelFormat::RGBx: return {4, 0, 1, 2};
    case PixelFormat::BGRx: return {4, 2, 1, 0};
    case PixelFormat::xRGB: return {4, 1, 2, 3};
    case PixelFormat::xBGR: return {4, 3, 2, 1};
  }
  throw Error(ErrorCode::InvalidArgument, "The frame's pixels are of an unknown format.");
}

/// 1 x bytes a pixel x H x W, channels last without gaps, as ATen's vectorised resize takes it.
at::Tensor pixels_of(const ImageView& frame) {
  const int64_t bytes = layout_of(frame.format).bytes, row = bytes * frame.width;
  const std::vector<int64_t> size{1, frame.height, frame.width, bytes};
  if (frame.stride == row || frame.height == 1)
    // ATen reads, and never writes, what from_blob wraps.
    return at::from_blob(const_cast<uint8_t*>(frame.data), size, at::kByte).permute({0, 3, 1, 2});
  const at::Tensor packed = at::empty(size, at::kByte);
  for (int64_t y = 0; y < frame.height; ++y)
    std::memcpy(packed.data_ptr<uint8_t>() + y * row, frame.data + y * frame.stride,
                static_cast<size_t>(row));
  return packed.permute({0, 3, 1, 2});
}

/// ... x 3, 0 to 255 -> float, normalised.
at::Tensor computed(const at::Tensor& rgb) {
  return rgb.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true)
      .div_(255)
      .sub_(Preprocess::mean().to(rgb.device()))
      .div_(Preprocess::deviation().to(rgb.device()));
}

/// The same of bytes, on the CPU: a quarter of the time.
at::Tensor looked_up(const at::Tensor& rgb) {
  static const auto& table = *new at::Tensor(
      computed(at::arange(256).to(at::kByte).unsqueeze(1).expand({256, 3})).t().contiguous());
  const auto* red = table.const_data_ptr<float>();
  const auto *green = red + 256, *blue = green + 256;
  at::Tensor normalised = at::empty(rgb.sizes(), at::kFloat);
  const auto* in = rgb.const_data_ptr<uint8_t>();
  auto* out = normalised.data_ptr<float>();
  for (auto* const end = out + rgb.numel(); out != end; in += 3, out += 3) {
    out[0] = red[in[0]];
    out[1] = green[in[1]];
    out[2] = blue[in[2]];
  }
  return normalised;
}

}  // namespace

Preprocess::Preprocess(const Settings& settings, int stride)
    : target_(settings.resize),
      crop_(settings.crop),
      stride_(stride),
      wants_floats_(settings.resize_values == ResizeValues::Floats) {
  if (settings.tile_size % stride)
    throw Error(ErrorCode::InvalidArgument, "The tile size " + std::to_string(settings.tile_size) +
                                                " is not a multiple of the backbone's stride, " +
                                                std::to_string(stride) + ".");
}

InputGeometry Preprocess::geometry(Size frame, double pixel_aspect) const {
  if (frame.width < 1 || frame.height < 1)
    throw Error(ErrorCode::InvalidArgument,
                "A frame of " + as_option(frame) + " pixels has no content.");
  frame = shown(frame, pixel_aspect);
  InputGeometry g;
  g.resized = target_.height ? Size{target_.width, target_.height}
                             : resize_shorter_side(frame, target_.width);
  if (!target_.height && !crop_)
    g.resized = {round_to(g.resized.width, stride_), round_to(g.resized.height, stride_)};
  g.input = crop_ ? Size{crop_, crop_} : g.resized;
  if (g.input.width > g.resized.width || g.input.height > g.resized.height)
    throw Error(ErrorCode::InvalidArgument, "A crop of " + as_option(g.input) +
                                                " doesn't fit into " + as_option(g.resized) + ".");
  if (g.input.width % stride_ || g.input.height % stride_)
    throw Error(ErrorCode::InvalidArgument, "The input size " + as_option(g.input) +
                                                " is not a multiple of the backbone's stride, " +
                                                std::to_string(stride_) + ".");
  g.left = crop_offset(g.resized.width, g.input.width);
  g.top = crop_offset(g.resized.height, g.input.height);
  const double w = g.resized.width, h = g.resized.height;
  g.region = {g.left / w, g.top / h, g.input.width / w, g.input.height / h};
  return g;
}

template <typename Value>
void Preprocess::resize_as(const ImageView& frame, Value* rgb) const {
  const InputGeometry g = geometry({frame.width, frame.height}, frame.pixel_aspect);
  at::Tensor source = pixels_of(frame);
  if (std::is_floating_point_v<Value>)
    source =
        source.to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous);
  const at::Tensor resized = at::_upsample_bilinear2d_aa(
      source, {g.resized.height, g.resized.width}, /*align_corners=*/false);
  const at::Tensor pixels = resized.permute({0, 2, 3, 1}).contiguous();
  const Layout layout = layout_of(frame.format);
  const auto* first = pixels.const_data_ptr<Value>();
  for (int64_t y = 0; y < g.input.height; ++y) {
    const auto* pixel = first + ((g.top + y) * g.resized.width + g.left) * layout.bytes;
    for (int x = 0; x < g.input.width; ++x, rgb += 3, pixel += layout.bytes) {
      rgb[0] = pixel[layout.red];
      rgb[1] = pixel[layout.green];
      rgb[2] = pixel[layout.blue];
    }
  }
}

template <typename Value>
void Preprocess::resize_as(const SampledImage& frame, Value* rgb) const {
  const InputGeometry g = geometry({frame.width, frame.height}, frame.pixel_aspect);
  const auto components =
      resized_components(frame, g.resized, /*rounded=*/!std::is_floating_point_v<Value>);
  for (int64_t y = 0; y < g.input.height; ++y) {
    const int64_t first = (g.top + y) * g.resized.width + g.left;
    convert_to_rgb(frame.to_rgb, components, first, g.input.width, rgb);
    rgb += int64_t{3} * g.input.width;
  }
}

void Preprocess::resize(const ImageView& frame, uint8_t* rgb) const { resize_as(frame, rgb); }
void Preprocess::resize(const ImageView& frame, float* rgb) const { resize_as(frame, rgb); }
void Preprocess::resize_samples(const SampledImage& frame, uint8_t* rgb) const {
  resize_as(frame, rgb);
}
void Preprocess::resize_samples(const SampledImage& frame, float* rgb) const {
  resize_as(frame, rgb);
}

at::Tensor Preprocess::normalise(const at::Tensor& rgb) {
  const bool bytes = rgb.scalar_type() == at::kByte && rgb.device().is_cpu();
  return (bytes ? looked_up(rgb.contiguous()) : computed(rgb)).permute({0, 3, 1, 2});
}

const at::Tensor& Preprocess::mean() {
  static const auto& values = *new at::Tensor(at::tensor({0.485f, 0.456f, 0.406f}));
  return values;
}

const at::Tensor& Preprocess::deviation() {
  static const auto& values = *new at::Tensor(at::tensor({0.229f, 0.224f, 0.225f}));
  return values;
}

}  // namespace patchcore
