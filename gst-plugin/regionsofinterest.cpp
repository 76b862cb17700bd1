// SPDX-License-Identifier: LGPL-2.1-or-later
#include "regionsofinterest.hpp"

#include <algorithm>

namespace gstpatchcore {
namespace {

constexpr const char* kOwnType = "anomaly";
constexpr gdouble kLeastSide = 8;  // pixels: less shows nothing
constexpr gdouble kMostAspect =
    16;  // the shorter side is resized to the input's, the other follows

/// Clipped to the frame, in fractions of it; empty where it lies outside.
Region clipped(const GstVideoRegionOfInterestMeta& meta, const GstVideoInfo& info) {
  const guint64 width = GST_VIDEO_INFO_WIDTH(&info), height = GST_VIDEO_INFO_HEIGHT(&info);
  const guint64 left = std::min<guint64>(meta.x, width), top = std::min<guint64>(meta.y, height);
  const guint64 right = std::min(guint64{meta.x} + meta.w, width);
  const guint64 bottom = std::min(guint64{meta.y} + meta.h, height);
  const auto w = static_cast<gdouble>(width), h = static_cast<gdouble>(height);
  return {static_cast<gdouble>(left) / w, static_cast<gdouble>(top) / h,
          static_cast<gdouble>(right - left) / w, static_cast<gdouble>(bottom - top) / h};
}

bool worth_a_look(const Region& region, const GstVideoInfo& info) {
  const gdouble w = region.w * GST_VIDEO_INFO_WIDTH(&info),
                h = region.h * GST_VIDEO_INFO_HEIGHT(&info);
  return std::min(w, h) >= kLeastSide && std::max(w, h) <= kMostAspect * std::min(w, h);
}

}  // namespace

std::vector<RegionOfInterest> regions_of_interest(GstBuffer* buffer, const GstVideoInfo& info,
                                                  const std::string& type) {
  std::vector<RegionOfInterest> found;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto& roi = *reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    const gchar* quark = g_quark_to_string(roi.roi_type);
    const std::string its_type = quark ? quark : "";
    if (type.empty() ? its_type == kOwnType : its_type != type) continue;
    const Region region = clipped(roi, info);
    if (worth_a_look(region, info)) found.push_back({region, its_type, roi.id});
  }
  return found;
}

}  // namespace gstpatchcore
