// SPDX-License-Identifier: LGPL-2.1-or-later
// Written by make_fixtures.py: by scipy.ndimage.gaussian_filter and by torch's pad and conv2d
#pragma once

#include <array>
#include <cstdint>

// clang-format off
struct MapValue {
  int64_t x, y;
  double value;
};

inline constexpr std::array<MapValue, 8> kScipySymmetric{{
  {0, 0, 1.723196019e+00},
  {39, 0, 7.981388452e-01},
  {0, 31, 5.310756155e-01},
  {39, 31, 1.067117641e+00},
  {20, 16, 1.185870097e+00},
  {3, 9, 1.677469650e+00},
  {31, 2, 9.553889546e-01},
  {17, 30, 4.804224646e-01}
}};
inline constexpr std::array<MapValue, 8> kTorchReflect{{
  {0, 0, 1.728884451e+00},
  {39, 0, 7.914742292e-01},
  {0, 31, 5.311515261e-01},
  {39, 31, 1.052244866e+00},
  {20, 16, 1.232172414e+00},
  {3, 9, 1.705033600e+00},
  {31, 2, 9.962243651e-01},
  {17, 30, 4.466269071e-01}
}};
// clang-format on
