// SPDX-License-Identifier: LGPL-2.1-or-later
#include "samples.hpp"

#include <algorithm>

#include "colorimetry.hpp"

namespace gstpatchcore {
namespace {

gdouble pixel_aspect(const GstVideoInfo& info) {
  const gdouble n = GST_VIDEO_INFO_PAR_N(&info), d = GST_VIDEO_INFO_PAR_D(&info);
  return n > 0 && d > 0 ? std::clamp(n / d, 1.0 / 64, 64.0) : 1;
}

/// How many pixels the largest sample is of, as a power of two.
guint most_subsampled(const guint (&sub)[GST_VIDEO_MAX_COMPONENTS], guint components) {
  return *std::max_element(sub, sub + components);
}

guint in_samples(guint pixels, guint sub) { return (pixels + (1u << sub) - 1) >> sub; }

void take_field(const View& view, PatchcoreSamples* samples) {
  if (!view.is_top && samples->rows > 1)
    samples->data = static_cast<guint8*>(samples->data) + samples->stride;
  samples->rows = std::max(1u, (samples->rows + view.is_top) / 2);
  samples->stride *= 2;
}

/// sub_x, sub_y: the component's.
void take_area(const Area& area, guint sub_x, guint sub_y, PatchcoreSamples* samples) {
  const guint x = std::min(area.x >> sub_x, samples->columns - 1),
              y = std::min(area.y >> sub_y, samples->rows - 1);
  samples->data =
      static_cast<guint8*>(samples->data) + gssize{y} * samples->stride + gssize{x} * samples->step;
  samples->columns = std::min(in_samples(area.x + area.width, sub_x), samples->columns) - x;
  samples->rows = std::min(in_samples(area.y + area.height, sub_y), samples->rows) - y;
}

guint bytes_of(const GstVideoFormatInfo* format, guint component) {
  return format->shift[component] + format->depth[component] > 8 ? 2 : 1;
}

/// GStreamer doesn't say where those of Y210 and its like lie: all in one place.
bool says_where_components_are(const GstVideoFormatInfo* format) {
  for (guint c = 1; c < format->n_components; ++c)
    for (guint before = 0; before < c; ++before)
      if (format->plane[c] == format->plane[before] &&
          format->poffset[c] == format->poffset[before])
        return false;
  return true;
}

}  // namespace

bool has_samples(const GstVideoInfo& info) {
  const GstVideoFormatInfo* format = info.finfo;
  if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX(format) || GST_VIDEO_FORMAT_INFO_IS_TILED(format) ||
      GST_VIDEO_FORMAT_INFO_HAS_PALETTE(format))
    return false;
  for (guint c = 0; c < format->n_components; ++c) {
    const guint bits = format->shift[c] + format->depth[c];
    if (format->pixel_stride[c] < 1 || format->depth[c] < 8 || bits > 16 ||
        (bits > 8 && !GST_VIDEO_FORMAT_INFO_IS_LE(format)))
      return false;
  }
  return format->n_components > 0 && says_where_components_are(format);
}

bool has_byte_samples(const GstVideoInfo& info) {
  if (!has_samples(info)) return false;
  const GstVideoFormatInfo* format = info.finfo;
  for (guint c = 0; c < format->n_components; ++c)
    if (format->depth[c] != 8 || format->shift[c] != 0) return false;
  return true;
}

guint offset_of(const GstVideoFormatInfo* format, guint component) {
  guint offset = format->poffset[component];
  // GStreamer tells otherwise of these than it unpacks them: V of P010 and its like is one sample
  // behind U, and not one byte; VYUY begins with V.
  if (offset % bytes_of(format, component) != 0) offset *= bytes_of(format, component);
  if (format->format == GST_VIDEO_FORMAT_VYUY && component > 0) offset = component == 1 ? 2 : 0;
  return offset;
}

View view_of(const GstVideoFrame& frame, const GstVideoInfo& info) {
  View view{static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info)),
            static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info)), pixel_aspect(info)};
  if (!GST_VIDEO_FRAME_IS_INTERLACED(&frame) || view.height < 2) return view;
  view.is_field = true;
  view.is_top = GST_VIDEO_FRAME_FLAG_IS_SET(&frame, GST_VIDEO_FRAME_FLAG_TFF);
  view.height = (view.height + view.is_top) / 2;
  view.pixel_aspect = std::max(view.pixel_aspect / 2, 1.0 / 64);
  return view;
}

Area aligned(const Area& area, const View& view, const GstVideoInfo& info) {
  const GstVideoFormatInfo* format = info.finfo;
  const guint sub_x = most_subsampled(format->w_sub, format->n_components),
              sub_y = most_subsampled(format->h_sub, format->n_components);
  const guint left = area.x >> sub_x << sub_x, top = area.y >> sub_y << sub_y;
  const guint right = std::min(in_samples(area.x + area.width, sub_x) << sub_x, view.width),
              bottom = std::min(in_samples(area.y + area.height, sub_y) << sub_y, view.height);
  return {left, top, right - left, bottom - top};
}

PatchcoreSamples samples_of(const GstVideoFrame& frame, const GstVideoInfo& info, guint component) {
  const GstVideoFormatInfo* format = info.finfo;
  PatchcoreSamples samples{};
  samples.stride = GST_VIDEO_FRAME_COMP_STRIDE(&frame, component);
  samples.columns = in_samples(static_cast<guint>(info.width), format->w_sub[component]);
  samples.rows = in_samples(static_cast<guint>(info.height), format->h_sub[component]);
  samples.step = static_cast<guint>(format->pixel_stride[component]);
  samples.shift = format->shift[component];
  samples.depth = format->depth[component];
  samples.bytes = bytes_of(format, component);
  samples.data =
      static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, format->plane[component])) +
      offset_of(format, component);
  return samples;
}

bool holds_samples(const GstVideoFrame& frame, const GstVideoInfo& info) {
  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); ++c) {
    const PatchcoreSamples samples = samples_of(frame, info, c);
    // With a meta each plane is mapped by itself.
    const GstMapInfo& map = frame.map[frame.meta ? info.finfo->plane[c] : 0];
    const gint64 first = static_cast<const guint8*>(samples.data) - map.data;
    const gint64 last = first + gint64{samples.rows - 1} * samples.stride;
    const gint64 row = gint64{samples.columns - 1} * samples.step + samples.bytes;
    if (std::min(first, last) < 0 || std::max(first, last) + row > static_cast<gint64>(map.size))
      return false;
  }
  return true;
}

PatchcoreSampledImage sampled_image(const GstVideoFrame& frame, const GstVideoInfo& info,
                                    const View& view, const Area& area) {
  PatchcoreSampledImage image{};
  const auto to_rgb = rgb_weights_of(info);
  for (guint i = 0; i < 3; ++i) {
    const guint component = GST_VIDEO_INFO_IS_GRAY(&info) ? 0 : i;
    PatchcoreSamples& samples = image.components[i] = samples_of(frame, info, component);
    if (view.is_field) take_field(view, &samples);
    take_area(area, info.finfo->w_sub[component], info.finfo->h_sub[component], &samples);
    std::copy(to_rgb[i].begin(), to_rgb[i].end(), image.to_rgb[i]);
  }
  image.width = area.width;
  image.height = area.height;
  image.pixel_aspect = view.pixel_aspect;
  return image;
}

}  // namespace gstpatchcore
