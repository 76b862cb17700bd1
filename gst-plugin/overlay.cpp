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

/// The colours of normalized values at equal steps from 0 to 1.
using Ramp = std::array<guint32, 1024>;

Ramp ramp_of(const Palette& palette, gdouble opacity) {
  Ramp ramp;
  for (size_t i = 0; i < ramp.size(); ++i) {
    const gdouble value = static_cast<gdouble>(i) / (ramp.size() - 1);
    ramp[i] = pixel(palette[to_byte(value)], to_byte(opacity * visibility(value)));
  }
  return ramp;
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

Picture OverlayPainter::painted_map(const Job& job, const PatchcoreBankInfo& bank, bool heat,
                                    bool rims) const {
  const std::span<const gfloat> map = values_of(job.result);
  Picture picture{job.result.map_width, job.result.map_height, std::vector<guint32>(map.size())};
  if (heat) {
    const MapScale scale(bank, map);
    const Ramp ramp = ramp_of(palette_of(grey() ? Colormap::Grey : live_.colormap), live_.opacity);
    for (size_t i = 0; i < map.size(); ++i) {
      const gdouble value = scale(map[i]);
      // No number is shown as nothing.
      const gdouble step = value > 0 ? std::min(value, 1.0) * (ramp.size() - 1) + 0.5 : 0;
      picture.pixels[i] = ramp[static_cast<size_t>(step)];
    }
  }
  if (rims) paint_rims(job, bank.pixel_threshold, &picture);
  return picture;
}

void OverlayPainter::paint_rims(const Job& job, gdouble threshold, Picture* picture) const {
  // Two pixels of the frame, or more where it is large.
  const gdouble line = std::max(2.0, GST_VIDEO_INFO_HEIGHT(&info_) / 360.0);
  const gdouble across = job.region.w * GST_VIDEO_INFO_WIDTH(&info_);
  const auto thickness = static_cast<guint>(std::ceil(line * picture->width / across));
  const auto rim =
      outline(values_of(job.result), picture->width, picture->height, threshold, thickness);
  for (size_t i = 0; i < rim.size(); ++i)
    if (rim[i]) picture->pixels[i] = pixel(grey() ? kWhite : kRed, 255);
}

void OverlayPainter::add_map(const Job& job, const PatchcoreBankInfo& bank) {
  const bool heat = live_.overlay == Overlay::Heatmap || live_.overlay == Overlay::Both;
  const bool rims =
      bank.calibrated && (live_.overlay == Overlay::Regions || live_.overlay == Overlay::Both);
  if ((!heat && !rims) || (bank.calibrated && job.result.map_peak < bank.pixel_threshold)) return;
  const gdouble w = GST_VIDEO_INFO_WIDTH(&info_), h = GST_VIDEO_INFO_HEIGHT(&info_);
  const Region& r = job.region;
  pictures_.push_back({painted_map(job, bank, heat, rims), {r.x * w, r.y * h, r.w * w, r.h * h}});
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
  Picture picture{across, down,
                  std::vector<guint32>(gsize{across} * down, pixel({0, 0, 0}, to_byte(kShade)))};
  const Colour colour = anomalous && !grey() ? kRed : kWhite;
  for (guint y = 0; y < height; ++y)
    for (guint x = 0; x < width; ++x) {
      const gdouble ink = mask.get()[gsize{y} * width + x] / 255.0;
      const auto mixed = [&](guint8 full) { return static_cast<guint8>(full * ink + 0.5); };
      picture.pixels[gsize{y + border} * across + x + border] =
          pixel({mixed(colour.r), mixed(colour.g), mixed(colour.b)},
                to_byte(kShade + (1 - kShade) * ink));
    }
  // At whole pixels, so that letters stay sharp.
  pictures_.push_back({std::move(picture),
                       {std::floor(job.region.x * w), std::floor(job.region.y * h),
                        static_cast<gdouble>(across), static_cast<gdouble>(down)}});
}

}  // namespace gstpatchcore
