// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/features.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>

#include "cuda/module.hpp"
#include "preprocess.hpp"

namespace patchcore::cuda {
namespace {

bool has_kernel(const at::Tensor& map) {
  const at::ScalarType type = map.scalar_type();
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
}

Embed arguments(const at::Tensor& map, const Settings& settings) {
  Embed e{};
  e.map = map.data_ptr();
  e.type = type_of(map.scalar_type());
  e.images = map.size(0);
  e.channels = map.size(1);
  e.height = map.size(2);
  e.width = map.size(3);
  e.image_stride = map.stride(0);
  e.channel_stride = map.stride(1);
  e.row_stride = map.stride(2);
  e.column_stride = map.stride(3);
  e.patch = settings.patch_size;
  e.bilinear = settings.merge == Interpolation::Bilinear;
  return e;
}

}  // namespace

at::Tensor normalise(const at::Tensor& rgb, at::ScalarType type, const Kernels& kernels) {
  const c10::DeviceGuard guard(rgb.device());
  const at::Tensor frames = rgb.contiguous();
  const at::Tensor out = at::empty(frames.sizes(), frames.options().dtype(type));
  Normalise n{frames.data_ptr(),
              type_of(frames.scalar_type()),
              out.data_ptr(),
              type_of(type),
              frames.numel(),
              {},
              {}};
  std::copy_n(Preprocess::mean().data_ptr<float>(), 3, n.mean);
  std::copy_n(Preprocess::deviation().data_ptr<float>(), 3, n.deviation);
  check(kernels.normalise(n, current_stream(rgb.device())));
  return out.permute({0, 3, 1, 2});
}

std::optional<Embedding> embed(const std::vector<at::Tensor>& features, const Settings& settings,
                               const Kernels& kernels) {
  if (settings.neighbourhood != Neighbourhood::AveragePool) return {};
  if (!std::all_of(features.begin(), features.end(), has_kernel)) return {};
  const at::Tensor& finest = features.front();
  const c10::DeviceGuard guard(finest.device());
  const int64_t images = finest.size(0), height = finest.size(2), width = finest.size(3);
  int64_t columns = 0;
  for (const at::Tensor& map : features) columns += map.size(1);
  const at::Tensor rows =
      at::empty({images * height * width, columns}, finest.options().dtype(at::kFloat));
  int64_t column = 0;
  for (const at::Tensor& map : features) {
    Embed e = arguments(map, settings);
    e.out_height = height;
    e.out_width = width;
    e.out = pointer<float>(rows) + column;
    e.pitch = columns;
    check(kernels.embed(e, current_stream(finest.device())));
    column += map.size(1);
  }
  return Embedding{rows, images, height, width};
}

}  // namespace patchcore::cuda
