// SPDX-License-Identifier: LGPL-2.1-or-later
#include "convolution.hpp"

#include <ATen/ATen.h>

#include "error.hpp"

namespace patchcore {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;  // torchvision's
constexpr int64_t kUsualInput = 224;        // side of the input that weights are laid out for

at::Tensor activate_(at::Tensor x, Activation activation) {
  if (activation == Activation::ReLU) x.relu_();
  if (activation == Activation::ReLU6) at::relu6_(x);
  return x;
}

}  // namespace

at::ScalarType scalar_type(Precision precision) {
  if (precision == Precision::Bf16) return at::kBFloat16;
  return precision == Precision::Fp16 ? at::kHalf : at::kFloat;
}

Convolution::Convolution(const at::Tensor& weight, at::Tensor bias, const ConvolutionShape& shape)
    : bias_(std::move(bias)) {
  const int64_t padding = shape.side / 2, stride = shape.stride;
  geometry_ = {{padding, padding}, {stride, stride}, shape.groups};
  weight_ = weight.contiguous(at::MemoryFormat::ChannelsLast);
  packed_ = weight.device().is_cpu() && onednn::convolves(weight.scalar_type());
  const int64_t size = kUsualInput / shape.step;
  if (packed_) weight_ = onednn::packed(weight_, geometry_, {1, shape.in, size, size});
}

at::Tensor Convolution::plain(const at::Tensor& x) const {
  return at::conv2d(x, weight_, bias_, geometry_.stride, geometry_.padding, /*dilation=*/1,
                    geometry_.groups);
}

at::Tensor Convolution::operator()(const at::Tensor& x, Activation activation) const {
  if (packed_) return onednn::convolution(x, weight_, bias_, geometry_, activation);
  return activate_(plain(x), activation);
}

at::Tensor Convolution::plus(const at::Tensor& x, at::Tensor other, Activation activation) const {
  if (packed_) {
    onednn::add_convolution(other, x, weight_, bias_, geometry_, activation);
    return other;
  }
  return activate_(plain(x).add_(other), activation);
}

at::Tensor Convolution::prepared(const at::Tensor& input) const {
  return input.to(bias_.device(), bias_.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
}

ConvolutionReader::ConvolutionReader(const BackboneOptions& options, c10::Device device)
    : ConvolutionReader(WeightsFile(options.weights), options, device) {}

ConvolutionReader::ConvolutionReader(WeightsFile file, const BackboneOptions& options,
                                     c10::Device device)
    : file_(std::move(file)),
      network_(options.name),
      device_(device),
      type_(scalar_type(options.precision)) {}

Convolution ConvolutionReader::read(const std::string& conv, const std::string& norm,
                                    const ConvolutionShape& shape) {
  const at::Tensor kernel = weight(conv, shape);
  const at::Tensor variance = parameter(norm + ".running_var", {shape.out});
  if (variance.lt(0).any().item<bool>()) refuse(norm + ".running_var is negative");
  const at::Tensor scale =
      parameter(norm + ".weight", {shape.out}) / (variance + kBatchNormEpsilon).sqrt();
  const at::Tensor bias = parameter(norm + ".bias", {shape.out}) -
                          parameter(norm + ".running_mean", {shape.out}) * scale;
  const at::Tensor folded = kernel * scale.reshape({-1, 1, 1, 1});
  return {rounded(folded, conv + ".weight"), rounded(bias, norm + ".bias"), shape};
}

Convolution ConvolutionReader::read(const std::string& name, const ConvolutionShape& shape) {
  const at::Tensor bias = parameter(name + ".bias", {shape.out});
  return {rounded(weight(name, shape), name + ".weight"), rounded(bias, name + ".bias"), shape};
}

at::Tensor ConvolutionReader::weight(const std::string& conv, const ConvolutionShape& shape) {
  return parameter(conv + ".weight", {shape.out, shape.in / shape.groups, shape.side, shape.side});
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
              "\"" + file_.name() + "\" doesn't hold weights of " + network_ + ": " + why + ".");
}

}  // namespace patchcore
