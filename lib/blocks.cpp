// SPDX-License-Identifier: LGPL-2.1-or-later
#include "blocks.hpp"

#include <algorithm>

namespace patchcore {

std::vector<at::Tensor> blocks(const at::Tensor& values) {
  constexpr int64_t kValues = 1 << 20;
  if (values.numel() == 0) return {};
  const int64_t row = values.numel() / values.size(0);
  return values.split(std::max<int64_t>(1, kValues / row));
}

}  // namespace patchcore
