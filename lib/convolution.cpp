// SPDX-License-Identifier: LGPL-2.1-or-later
#include "convolution.hpp"

#include <ATen/ATen.h>

#include "error.hpp"

namespace patchcore {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;  // torchvision's

}  // namespace

at::ScalarType scalar_type(Precision precision) {
  if (precision == Precision::Bf16) return at::kBFloat16;
  return precision == Precision::Fp16 ? at::kHalf : at::kFloat;
}

at::Tensor Convolution::operator()(const at::Tensor& x) const {
  const auto padding = weight.size(2) / 2;
  return at::conv2d(x, weight, bias, stride, padding, /*dilation=*/1, groups);
}

ConvolutionReader::ConvolutionReader(const BackboneOptions& options, c10::Device device)
    : file_(options.weights),
      path_(options.weights),
      name_(options.name),
      device_(device),
      type_(scalar_type(options.precision)) {}

Convolution ConvolutionReader::read(const std::string& conv, const std::string& norm,
                                    const ConvolutionShape& shape) {
  const at::Tensor weight =
      parameter(conv + ".weight", {shape.out, shape.in / shape.groups, shape.side, shape.side});
  const at::Tensor variance = parameter(norm + ".running_var", {shape.out});
  if (variance.lt(0).any().item<bool>()) refuse(norm + ".running_var is negative");
  const at::Tensor scale =
      parameter(norm + ".weight", {shape.out}) / (variance + kBatchNormEpsilon).sqrt();
  const at::Tensor bias = parameter(norm + ".bias", {shape.out}) -
                          parameter(norm + ".running_mean", {shape.out}) * scale;
  const at::Tensor folded = weight * scale.reshape({-1, 1, 1, 1});
  return {rounded(folded, conv + ".weight").contiguous(at::MemoryFormat::ChannelsLast),
          rounded(bias, norm + ".bias"), shape.stride, shape.groups};
}

at::Tensor ConvolutionReader::parameter(const std::string& name, at::IntArrayRef shape) {
  if (!file_.contains(name)) refuse(name + " is missing");
  const at::Tensor value = file_.tensor(name).to(at::kDouble);
  if (value.sizes() != shape) refuse(name + " has another shape");
  if (!value.isfinite().all().item<bool>()) refuse(name + " holds NaN or infinity");
  return value;
}

at::Tensor ConvolutionReader::rounded(const at::Tensor& folded, const std::string& name) const {
  const at::Tensor value = folded.to(type_);
  if (!value.isfinite().all().item<bool>()) refuse(name + " is too large");
  return value.to(device_);
}

void ConvolutionReader::refuse(const std::string& why) const {
  throw Error(ErrorCode::OpenRead,
              "\"" + path_ + "\" doesn't hold weights of " + name_ + ": " + why + ".");
}

}  // namespace patchcore
