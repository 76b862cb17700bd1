// SPDX-License-Identifier: LGPL-2.1-or-later
#include "overlay.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "normalization.hpp"

namespace gstpatchcore {
namespace {

struct Colour {
  guint8 r, g, b;
};

/// Samples of Google's turbo map (Mikhailov 2019) at equal steps, between which is interpolated.
constexpr std::array<Colour, 9> kTurbo{{{48, 18, 59},
                                        {70, 107, 227},
                                        {40, 187, 236},
                                        {49, 242, 153},
                                        {162, 252, 60},
                                        {237, 208, 58},
                                        {251, 128, 34},
                                        {210, 49, 5},
                                        {122, 4, 3}}};

Colour turbo(gdouble value) {
  const gdouble at = std::clamp(value, 0.0, 1.0) * (kTurbo.size() - 1);
  const auto low = std::min(static_cast<size_t>(at), kTurbo.size() - 2);
  const gdouble t = at - static_cast<gdouble>(low);
  const auto mix = [&](guint8 a, guint8 b) { return static_cast<guint8>(a + (b - a) * t + 0.5); };
  return {mix(kTurbo[low].r, kTurbo[low + 1].r), mix(kTurbo[low].g, kTurbo[low + 1].g),
          mix(kTurbo[low].b, kTurbo[low + 1].b)};
}

/// Raw map values to 0..1: 0.5 at the pixel threshold, as scores are normalized.
class MapScale {
 public:
  MapScale(const PatchcoreBankInfo& bank, const gfloat* map, size_t count)
      : calibrated_(bank.calibrated), normalization_(Normalization::of_maps(bank)) {
    if (calibrated_ || count == 0) return;
    const auto [least, most] = std::minmax_element(map, map + count);
    zero_ = *least;
    if (*most > *least) unit_ = *most - *least;
  }

  gdouble operator()(gfloat value) const {
    return calibrated_ ? normalization_.normalized(value) : (value - zero_) / unit_;
  }

 private:
  bool calibrated_;
  Normalization normalization_;
  gdouble zero_ = 0, unit_ = 1;  ///< without a calibration
};

/// How much of the colour shows: nothing below the threshold, all of it well above.
gdouble visibility(gdouble normalized) {
  const gdouble t = std::clamp((normalized - 0.5) / 0.2, 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

/// The map as pixels in GstVideoOverlayComposition's RGB format, not premultiplied.
BufferPtr draw(const PatchcoreResult& result, const PatchcoreBankInfo& bank, gdouble opacity) {
  gsize bytes = 0;
  const auto* map = static_cast<const gfloat*>(g_bytes_get_data(result.map, &bytes));
  const size_t count = bytes / sizeof(gfloat);
  const MapScale scale(bank, map, count);
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, count * 4, nullptr));
  GstMapInfo pixels;
  if (!gst_buffer_map(buffer.get(), &pixels, GST_MAP_WRITE)) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    const gdouble value = scale(map[i]);
    const Colour colour = turbo(value);
    const auto alpha = static_cast<guint8>(255 * opacity * visibility(value) + 0.5);
    // The format is BGRA or ARGB in memory, as the machine's byte order has it: one native word.
    const guint32 word =
        guint32{alpha} << 24 | guint32{colour.r} << 16 | guint32{colour.g} << 8 | guint32{colour.b};
    std::memcpy(pixels.data + 4 * i, &word, sizeof word);
  }
  gst_buffer_unmap(buffer.get(), &pixels);
  gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, result.map_width,
                            result.map_height);
  return buffer;
}

}  // namespace

void blend_heatmap(GstBuffer* buffer, const GstVideoInfo& info, const Job& job,
                   const PatchcoreBankInfo& bank, gdouble opacity) {
  if (bank.calibrated && job.result.map_peak < bank.pixel_threshold) return;
  const BufferPtr pixels = draw(job.result, bank, opacity);
  GstVideoFrame frame;
  if (!pixels || !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE)) return;
  const gdouble w = GST_VIDEO_INFO_WIDTH(&info), h = GST_VIDEO_INFO_HEIGHT(&info);
  GstVideoOverlayRectangle* rectangle = gst_video_overlay_rectangle_new_raw(
      pixels.get(), static_cast<gint>(job.region.x * w), static_cast<gint>(job.region.y * h),
      static_cast<guint>(std::max(1.0, job.region.w * w)),
      static_cast<guint>(std::max(1.0, job.region.h * h)), GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  GstVideoOverlayComposition* composition = gst_video_overlay_composition_new(rectangle);
  gst_video_overlay_composition_blend(composition, &frame);
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
  gst_video_frame_unmap(&frame);
}

}  // namespace gstpatchcore
