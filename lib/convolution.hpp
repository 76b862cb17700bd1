// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "backbone.hpp"
#include "onednn.hpp"
#include "weights_file.hpp"

namespace patchcore {

using onednn::Activation;

/// A convolution's numbers as an architecture has them.
struct ConvolutionShape {
  int in;
  int out;
  int side;  ///< of its kernel
  int step;  ///< the network's input pixels a step of what comes in
  int stride = 1;
  int groups = 1;
};

/// A convolution with the batch norm behind it, folded into one, since nothing here trains. Padded
/// so that a stride of 1 keeps the size. What comes in and goes out is channels last and of type().
/// On a CPU by oneDNN, its weights held once, as oneDNN reads them; elsewhere by ATen's operators.
/// Immutable.
class Convolution {
 public:
  Convolution() = default;

  /// weight: out x in / groups x side x side, bias: out; both of one type, on one device.
  Convolution(const at::Tensor& weight, at::Tensor bias, const ConvolutionShape& shape);

  at::Tensor operator()(const at::Tensor& x, Activation activation) const;

  /// activation(this(x) + other), rounded once; may be written over `other`. Activation: None or
  /// ReLU.
  at::Tensor plus(const at::Tensor& x, at::Tensor other, Activation activation) const;

  /// A network's input as the first convolution takes it.
  at::Tensor prepared(const at::Tensor& input) const;

 private:
  at::Tensor plain(const at::Tensor& x) const;

  at::Tensor weight_, bias_;
  onednn::Geometry geometry_;
  bool packed_ = false;
};

/// Reads convolutions from weights by the parameters' names. What is missing, has another shape or
/// isn't finite is Error(OpenRead) that names the file and the parameter.
class ConvolutionReader {
 public:
  /// Of the file that the options name.
  ConvolutionReader(const BackboneOptions& options, c10::Device device);

  ConvolutionReader(WeightsFile file, const BackboneOptions& options, c10::Device device);

  /// conv, norm: prefixes of the parameters' names, as torchvision has them.
  Convolution read(const std::string& conv, const std::string& norm, const ConvolutionShape& shape);

  /// One that has its bias, and no batch norm behind it: NAME.weight, NAME.bias.
  Convolution read(const std::string& name, const ConvolutionShape& shape);

 private:
  at::Tensor weight(const std::string& conv, const ConvolutionShape& shape);
  at::Tensor parameter(const std::string& name, at::IntArrayRef shape);
  at::Tensor rounded(const at::Tensor& folded, const std::string& name) const;
  [[noreturn]] void refuse(const std::string& why) const;

  WeightsFile file_;
  std::string network_;
  c10::Device device_;
  at::ScalarType type_;
};

/// What a precision other than Auto computes in.
at::ScalarType scalar_type(Precision precision);

}  // namespace patchcore
