// SPDX-License-Identifier: LGPL-2.1-or-later
#include "preparation.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "convolution.hpp"
#include "parallel.hpp"
#include "sha256.hpp"

namespace patchcore {
namespace {

/// A convolution, and one with a sum behind it, as the networks have them.
void convolve(at::ScalarType type) {
  constexpr int kChannels = 16, kSide = 3;
  const Convolution convolution(at::zeros({kChannels, kChannels, kSide, kSide}, type),
                                at::zeros({kChannels}, type),
                                {kChannels, kChannels, kSide, /*step=*/1});
  const at::Tensor x = convolution.prepared(at::zeros({1, kChannels, 8, 8}));
  const at::Tensor y = convolution(x, Activation::ReLU);
  convolution.plus(y, x, Activation::ReLU);
}

void prepare() {
  const c10::InferenceMode no_gradients;
  Sha256().hex();
  for_each(2, [](size_t) {});
  convolve(at::kFloat);
  if (onednn::convolves(at::kBFloat16)) convolve(at::kBFloat16);
  const at::Tensor square = at::eye(8);
  at::linalg_qr(at::matmul(square, square));
}

}  // namespace

void prepare_process() noexcept {
  static const bool done = [] {
    try {
      prepare();
    } catch (const std::exception&) {
    }
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace patchcore
