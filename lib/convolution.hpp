// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "backbone.hpp"
#include "weights_file.hpp"

namespace patchcore {

/// A convolution with the batch norm behind it, folded into one, since nothing here trains. Padded
/// so that a stride of 1 keeps the size.
struct Convolution {
  at::Tensor weight, bias;
  int stride = 1;
  int groups = 1;
  at::Tensor operator()(const at::Tensor& x) const;
};

/// A convolution's numbers as an architecture has them.
struct ConvolutionShape {
  int in;
  int out;
  int side;  ///< of its kernel
  int stride = 1;
  int groups = 1;
};

/// Reads convolutions from a file of weights by torchvision's parameter names. What is missing,
/// has another shape or isn't finite is Error(OpenRead) that names the file and the parameter.
class ConvolutionReader {
 public:
  ConvolutionReader(const BackboneOptions& options, c10::Device device);

  /// conv, norm: prefixes of the parameters' names.
  Convolution read(const std::string& conv, const std::string& norm, const ConvolutionShape& shape);

 private:
  at::Tensor parameter(const std::string& name, at::IntArrayRef shape);
  at::Tensor rounded(const at::Tensor& folded, const std::string& name) const;
  [[noreturn]] void refuse(const std::string& why) const;

  WeightsFile file_;
  std::string path_, name_;
  c10::Device device_;
  at::ScalarType type_;
};

/// What a precision computes in; Auto is fp32.
at::ScalarType scalar_type(Precision precision);

}  // namespace patchcore
