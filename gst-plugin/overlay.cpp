// SPDX-License-Identifier: LGPL-2.1-or-later
#include "overlay.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <normalization.hpp>
#include <span>
#include <vector>

namespace gstpatchcore {
namespace {

struct Colour {
  guint8 r, g, b;
};

constexpr Colour kWhite{255, 255, 255}, kRed{255, 48, 48};

using Palette = std::array<Colour, 256>;

/// As the enum's nicks are called; read once.
const Palette& palette_of(Colormap map) {
  static const auto& all = *[] {
    auto* palettes = new std::vector<Palette>;
    for (const char* name : {"turbo", "inferno", "viridis", "jet", "grey"}) {
      palettes->emplace_back();
      library().patchcore_colormap(name, &palettes->back()[0].r, nullptr);
    }
    return palettes;
  }();
  return all[static_cast<size_t>(map)];
}

/// Raw map values to 0..1: 0.5 at the pixel threshold, as scores are normalized.
class MapScale {
 public:
  MapScale(const PatchcoreBankInfo& bank, std::span<const gfloat> map)
      : calibrated_(bank.calibrated), normalization_(bank.pixel_threshold, bank.pixel_median) {
    if (calibrated_ || map.empty()) return;
    const auto [least, most] = std::minmax_element(map.begin(), map.end());
    zero_ = *least;
    if (*most > *least) unit_ = *most - *least;
  }

  gdouble operator()(gfloat value) const {
    return calibrated_ ? normalization_.normalized(value) : (value - zero_) / unit_;
  }

 private:
  bool calibrated_;
  patchcore::Normalization normalization_;
  gdouble zero_ = 0, unit_ = 1;  ///< without a calibration
};

/// How much of the colour shows: nothing below the threshold, all of it well above.
gdouble visibility(gdouble normalized) {
  const gdouble t = std::clamp((normalized - 0.5) / 0.2, 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

guint8 to_byte(gdouble share) {
  return static_cast<guint8>(255 * std::clamp(share, 0.0, 1.0) + 0.5);
}

/// The format is BGRA or ARGB in memory, as the machine's byte order has it: one native word.
guint32 word_of(Colour colour, guint8 alpha) {
  return guint32{alpha} << 24 | guint32{colour.r} << 16 | guint32{colour.g} << 8 |
         guint32{colour.b};
}

BufferPtr picture(const std::vector<guint32>& words, guint width, guint height) {
  BufferPtr buffer(gst_buffer_new_memdup(words.data(), words.size() * sizeof words[0]));
  gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
  return buffer;
}

std::span<const gfloat> values_of(const PatchcoreResult& result) {
  gsize bytes = 0;
  const auto* map = static_cast<const gfloat*>(g_bytes_get_data(result.map, &bytes));
  return {map, map + bytes / sizeof(gfloat)};
}

/// What is left of a set of pixels without those that have a neighbour outside of it; so is what
/// lies outside of the picture.
std::vector<guint8> eroded(const std::vector<guint8>& set, guint width, guint height) {
  std::vector<guint8> left(set.size(), 0);
  for (guint y = 1; y + 1 < height; ++y)
    for (gsize i = gsize{y} * width + 1; i + 1 < gsize{y + 1} * width; ++i)
      left[i] = set[i] && set[i - 1] && set[i + 1] && set[i - width] && set[i + width];
  return left;
}

/// The rim, `thickness` pixels wide, of what is at or above the threshold.
std::vector<guint8> outline(std::span<const gfloat> map, guint width, guint height,
                            gdouble threshold, guint thickness) {
  std::vector<guint8> above(map.size());
  std::transform(map.begin(), map.end(), above.begin(),
                 [&](gfloat value) { return static_cast<gdouble>(value) >= threshold; });
  std::vector<guint8> inner = above;
  for (guint i = 0; i < thickness; ++i) inner = eroded(inner, width, height);
  for (size_t i = 0; i < above.size(); ++i) above[i] = above[i] && !inner[i];
  return above;
}

}  // namespace

OverlayPainter::OverlayPainter(const GstVideoInfo& info, const LiveConfig& live)
    : info_(info), live_(live) {}

OverlayPainter::~OverlayPainter() {
  if (composition_) gst_video_overlay_composition_unref(composition_);
}

bool OverlayPainter::grey() const { return GST_VIDEO_INFO_IS_GRAY(&info_); }

void OverlayPainter::add_map(const Job& job, const PatchcoreBankInfo& bank) {
  const PatchcoreResult& r = job.result;
  const bool heat = live_.overlay == Overlay::Heatmap || live_.overlay == Overlay::Both;
  const bool rims =
      bank.calibrated && (live_.overlay == Overlay::Regions || live_.overlay == Overlay::Both);
  if ((!heat && !rims) || (bank.calibrated && r.map_peak < bank.pixel_threshold)) return;

  const gdouble w = GST_VIDEO_INFO_WIDTH(&info_), h = GST_VIDEO_INFO_HEIGHT(&info_);
  const std::span<const gfloat> map = values_of(r);
  std::vector<guint32> words(map.size(), 0);
  if (heat) {
    const MapScale scale(bank, map);
    const Palette& palette = palette_of(grey() ? Colormap::Grey : live_.colormap);
    for (size_t i = 0; i < map.size(); ++i) {
      const gdouble value = scale(map[i]);
      words[i] = word_of(palette[to_byte(value)], to_byte(live_.opacity * visibility(value)));
    }
  }
  if (rims) {
    // Two pixels of the frame, or more where it is large.
    const gdouble line = std::max(2.0, h / 360);
    const auto thickness = static_cast<guint>(std::ceil(line * r.map_width / (job.region.w * w)));
    const auto rim = outline(map, r.map_width, r.map_height, bank.pixel_threshold, thickness);
    for (size_t i = 0; i < rim.size(); ++i)
      if (rim[i]) words[i] = word_of(grey() ? kWhite : kRed, 255);
  }
  add(picture(words, r.map_width, r.map_height).get(), job.region.x * w, job.region.y * h,
      job.region.w * w, job.region.h * h);
}

void OverlayPainter::add_score(const Job& job, const PatchcoreBankInfo& bank, bool anomalous) {
  gchar text[32];
  if (bank.calibrated)
    g_snprintf(text, sizeof text, "%.2f", job.result.normalized_score);
  else
    g_snprintf(text, sizeof text, "%.4g", job.result.score);
  const gdouble w = GST_VIDEO_INFO_WIDTH(&info_), h = GST_VIDEO_INFO_HEIGHT(&info_);
  const auto letters = static_cast<guint>(std::clamp(h / 32, 8.0, 64.0));
  guint width = 0, height = 0;
  const std::unique_ptr<guint8, decltype(&g_free)> mask(
      library().patchcore_text_mask(text, letters, &width, &height, nullptr), g_free);
  if (!mask) return;

  const guint border = letters / 2, across = width + 2 * border, down = height + 2 * border;
  constexpr gdouble kShade = 0.6;  // of what lies behind the text
  std::vector<guint32> words(gsize{across} * down, word_of({0, 0, 0}, to_byte(kShade)));
  const Colour colour = anomalous && !grey() ? kRed : kWhite;
  for (guint y = 0; y < height; ++y)
    for (guint x = 0; x < width; ++x) {
      const gdouble ink = mask.get()[gsize{y} * width + x] / 255.0;
      const auto mixed = [&](guint8 full) { return static_cast<guint8>(full * ink + 0.5); };
      words[gsize{y + border} * across + x + border] =
          word_of({mixed(colour.r), mixed(colour.g), mixed(colour.b)},
                  to_byte(kShade + (1 - kShade) * ink));
    }
  add(picture(words, across, down).get(), job.region.x * w, job.region.y * h, across, down);
}

void OverlayPainter::add(GstBuffer* pixels, gdouble x, gdouble y, gdouble width, gdouble height) {
  GstVideoOverlayRectangle* rectangle = gst_video_overlay_rectangle_new_raw(
      pixels, static_cast<gint>(x), static_cast<gint>(y), static_cast<guint>(std::max(1.0, width)),
      static_cast<guint>(std::max(1.0, height)), GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  if (!composition_) composition_ = gst_video_overlay_composition_new(nullptr);
  gst_video_overlay_composition_add_rectangle(composition_, rectangle);
  gst_video_overlay_rectangle_unref(rectangle);
}

void OverlayPainter::blend(GstBuffer* buffer) const {
  GstVideoFrame frame;
  if (!composition_ || !gst_video_frame_map(&frame, &info_, buffer, GST_MAP_READWRITE)) return;
  gst_video_overlay_composition_blend(composition_, &frame);
  gst_video_frame_unmap(&frame);
}

}  // namespace gstpatchcore
