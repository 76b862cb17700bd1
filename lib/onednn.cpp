// SPDX-License-Identifier: LGPL-2.1-or-later
#include "onednn.hpp"

#include <ATen/Context.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cpu/Utils.h>

#include <optional>
#include <string_view>

namespace patchcore::onednn {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Text = std::optional<std::string_view>;

constexpr std::array<int64_t, 2> kDilation{1, 1};

using Convolve = at::Tensor(const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, at::IntArrayRef padding,
                            at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                            std::string_view activation, Scalars scalars, Text algorithm);
using ConvolveAndAdd = at::Tensor&(at::Tensor& sum, const at::Tensor& x, const at::Tensor& weight,
                                   const std::optional<at::Tensor>& bias, at::IntArrayRef padding,
                                   at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                                   std::string_view binary, std::optional<at::Scalar> alpha,
                                   Text activation, Scalars scalars, Text algorithm);

c10::OperatorHandle find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
}

/// Asked of the operators that tell; false where this LibTorch has none.
bool told(const char* name) {
  const auto operation = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!operation) return false;
  torch::jit::Stack stack;
  operation->callBoxed(stack);
  return stack.back().toBool();
}

bool bf16() {
  static const bool supported = told("mkldnn::_is_mkldnn_bf16_supported");
  return supported;
}

bool fp16() {
  static const bool supported = told("mkldnn::_is_mkldnn_fp16_supported");
  return supported;
}

}  // namespace

bool convolves(at::ScalarType type) {
  static const bool known = c10::Dispatcher::singleton()
                                .findSchema({"mkldnn::_convolution_pointwise_", "binary"})
                                .has_value();
  // Arm's own library behind oneDNN fuses little: there ATen's operators take the direct way.
  static const bool arm = told("mkldnn::_is_mkldnn_acl_supported");
  if (!known || arm || !at::globalContext().userEnabledMkldnn()) return false;
  return type == at::kFloat || (type == at::kBFloat16 && bf16()) || (type == at::kHalf && fp16());
}

bool has_fast_bf16() {
  if (!at::globalContext().userEnabledMkldnn() || !bf16()) return false;
  const auto capabilities = at::cpu::get_cpu_capabilities();
  const auto has = [&](const char* name) {
    const auto found = capabilities.find(name);
    return found != capabilities.end() && found->second.toBool();
  };
  // Of x86 LibTorch says yes with AVX-512 alone, where bf16 is unpacked to fp32: slower than fp32.
  return !has("sse2") || has("avx512_bf16") || has("amx_bf16");
}

at::Tensor packed(const at::Tensor& weight, const Geometry& geometry, at::IntArrayRef input) {
  const auto list = [](at::IntArrayRef values) { return c10::IValue(values.vec()); };
  torch::jit::Stack stack{weight,          list(geometry.padding), list(geometry.stride),
                          list(kDilation), geometry.groups,        list(input)};
  find("mkldnn::_reorder_convolution_weight").callBoxed(stack);
  return stack.back().toTensor();
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                       const Geometry& geometry, Activation activation) {
  static const auto convolve = find("mkldnn::_convolution_pointwise").typed<Convolve>();
  Scalars limits;
  if (activation == Activation::ReLU6) limits = {at::Scalar(0.0), at::Scalar(6.0)};
  constexpr std::array<std::string_view, 3> kNames{"none", "relu", "hardtanh"};
  return convolve.call(x, packed, bias, geometry.padding, geometry.stride, kDilation,
                       geometry.groups, kNames[static_cast<size_t>(activation)], limits, "");
}

void add_convolution(at::Tensor& sum, const at::Tensor& x, const at::Tensor& packed,
                     const at::Tensor& bias, const Geometry& geometry, Activation activation) {
  static const auto convolve =
      find("mkldnn::_convolution_pointwise_", "binary").typed<ConvolveAndAdd>();
  const Text name = activation == Activation::ReLU ? Text("relu") : std::nullopt;
  convolve.call(sum, x, packed, bias, geometry.padding, geometry.stride, kDilation, geometry.groups,
                "add", at::Scalar(1.0), name, Scalars(), "");
}

}  // namespace patchcore::onednn
