// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include "image.hpp"
#include "settings.hpp"

namespace patchcore {

/// What a frame of one size becomes.
struct InputGeometry {
  Size resized;  ///< after the resize
  Size input;    ///< after the crop: what the backbone sees
  int left = 0;  ///< of the crop, pixels of the resized frame
  int top = 0;
  Rectangle region;  ///< where the input lies in the frame
};

/// Frame -> network input: antialiased bilinear resize as Pillow does it, centred crop as
/// torchvision does it, then ImageNet's mean and standard deviation. Immutable and so safe to use
/// from any thread.
class Preprocess {
 public:
  /// `stride`: the backbone's coarsest, which sizes of inputs and tiles must be multiples of.
  /// Throws Error(InvalidArgument) where that of the tiles is not.
  Preprocess(const Settings& settings, int stride);

  /// A resize by the shorter side alone, without a crop, rounds both sides to the stride, since a
  /// wide frame must not lose its sides. Throws Error(InvalidArgument) where the settings' sizes
  /// can't be had from such a frame. pixel_aspect: as ImageView has it, from 1/64 to 64: sides and
  /// aspect are those of the frame as it is shown.
  InputGeometry geometry(Size frame, double pixel_aspect = 1) const;

  /// Writes geometry(frame).input as packed RGB, 3 bytes a pixel, to `rgb`, whatever the frame's
  /// format. On the calling thread alone where ATen has its resize for AVX2.
  void resize(const ImageView& frame, uint8_t* rgb) const;

  /// The same without rounding, 0 to 255: 3 floats a pixel. What a bank whose settings want it, see
  /// wants_floats(), gives its maker's scores with.
  void resize(const ImageView& frame, float* rgb) const;
  bool wants_floats() const { return wants_floats_; }

  /// The same of video: each component is resized in its own resolution, and RGB made of what that
  /// gives, a fraction of the pixels. Throws Error(InvalidArgument) for samples that can't be.
  void resize_samples(const SampledImage& frame, uint8_t* rgb) const;
  void resize_samples(const SampledImage& frame, float* rgb) const;

  /// N x H x W x 3 uint8 or float, 0 to 255 -> N x 3 x H x W float on the same device, normalised.
  static at::Tensor normalise(const at::Tensor& rgb);

  /// ImageNet's, of RGB in 0..1, as torchvision publishes them with its weights: 3 floats each.
  static const at::Tensor& mean();
  static const at::Tensor& deviation();

 private:
  template <typename Value>
  void resize_as(const ImageView& frame, Value* rgb) const;
  template <typename Value>
  void resize_as(const SampledImage& frame, Value* rgb) const;

  ResizeTarget target_;
  int crop_;
  int stride_;
  bool wants_floats_;
};

}  // namespace patchcore
