// SPDX-License-Identifier: LGPL-2.1-or-later
#include "colorimetry.hpp"

namespace gstpatchcore {
namespace {

/// What luma is of red and blue, and where the components' levels begin and how far they reach.
struct Matrix {
  gdouble kr = 0.299, kb = 0.114;
  gint offset[GST_VIDEO_MAX_COMPONENTS], scale[GST_VIDEO_MAX_COMPONENTS];

  explicit Matrix(const GstVideoInfo& info) {
    gst_video_color_matrix_get_Kr_Kb(info.colorimetry.matrix, &kr, &kb);
    gst_video_color_range_offsets(info.colorimetry.range, info.finfo, offset, scale);
  }
  gdouble kg() const { return 1 - kr - kb; }
};

Weights yuv_weights(const GstVideoInfo& info, guint component) {
  const Matrix m(info);
  const gdouble scale = m.scale[component] / 255.0, offset = m.offset[component];
  if (component == 0) return {m.kr * scale, m.kg() * scale, m.kb * scale, offset};
  // Blue less luma, red less luma, each brought to a range of one.
  const gdouble u = scale / 2 / (1 - m.kb), v = scale / 2 / (1 - m.kr);
  return component == 1 ? Weights{-m.kr * u, -m.kg() * u, (1 - m.kb) * u, offset}
                        : Weights{(1 - m.kr) * v, -m.kg() * v, -m.kb * v, offset};
}

/// Luma and two differences, each of 255, to one of red, green and blue.
Weights unscaled(const Matrix& m, gdouble of_u, gdouble of_v) {
  const gdouble y = 255.0 / m.scale[0], u = of_u * 255 / m.scale[1], v = of_v * 255 / m.scale[2];
  return {y, u, v, -(y * m.offset[0] + u * m.offset[1] + v * m.offset[2])};
}

gdouble most(const GstVideoInfo& info, guint component) {
  return static_cast<gdouble>((1u << info.finfo->depth[component]) - 1);
}

}  // namespace

Weights weights_of(const GstVideoInfo& info, guint component) {
  if (component + 1 == info.finfo->n_components && GST_VIDEO_FORMAT_INFO_HAS_ALPHA(info.finfo))
    return {0, 0, 0, most(info, component)};
  if (!GST_VIDEO_FORMAT_INFO_IS_RGB(info.finfo)) return yuv_weights(info, component);
  const gdouble scale = most(info, component) / 255;
  return {scale * (component == 0), scale * (component == 1), scale * (component == 2), 0};
}

std::array<Weights, 3> rgb_weights_of(const GstVideoInfo& info) {
  if (GST_VIDEO_FORMAT_INFO_IS_RGB(info.finfo))
    return {Weights{255 / most(info, 0), 0, 0, 0}, Weights{0, 255 / most(info, 1), 0, 0},
            Weights{0, 0, 255 / most(info, 2), 0}};
  const Matrix m(info);
  if (GST_VIDEO_FORMAT_INFO_IS_GRAY(info.finfo)) {
    const gdouble y = 255.0 / m.scale[0];
    const Weights luma{y, 0, 0, -y * m.offset[0]};
    return {luma, luma, luma};
  }
  const gdouble u = 2 * (1 - m.kb), v = 2 * (1 - m.kr);
  return {unscaled(m, 0, v), unscaled(m, -u * m.kb / m.kg(), -v * m.kr / m.kg()),
          unscaled(m, u, 0)};
}

}  // namespace gstpatchcore
