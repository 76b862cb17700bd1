// SPDX-License-Identifier: LGPL-2.1-or-later
#include "regionmeta.hpp"

#include <gst/video/video.h>

#include <algorithm>
#include <cmath>

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

namespace gstpatchcore {
namespace {

constexpr const char* kType = "anomaly";
constexpr const char* kParameter = "patchcore-region";

struct FrameSize {
  gint width, height;
};

struct Box {
  gint x, y, width, height;
};

/// Within the frame, and never empty.
Box to_pixels(const AnomalyRegion& region, FrameSize frame) {
  const auto edge = [](gdouble at, gint low, gint high) {
    return static_cast<gint>(std::lround(std::clamp<gdouble>(at, low, high)));
  };
  const gint left = edge(region.x * frame.width, 0, frame.width - 1);
  const gint top = edge(region.y * frame.height, 0, frame.height - 1);
  const gint right = edge((region.x + region.w) * frame.width, left + 1, frame.width);
  const gint bottom = edge((region.y + region.h) * frame.height, top + 1, frame.height);
  return {left, top, right - left, bottom - top};
}

void attach_roi(GstBuffer* buffer, const AnomalyRegion& region, FrameSize frame, guint result) {
  const Box box = to_pixels(region, frame);
  GstVideoRegionOfInterestMeta* meta = gst_buffer_add_video_region_of_interest_meta(
      buffer, kType, static_cast<guint>(box.x), static_cast<guint>(box.y),
      static_cast<guint>(box.width), static_cast<guint>(box.height));
  GstStructure* param = gst_structure_new(
      kParameter, "result", G_TYPE_UINT, result, "score", G_TYPE_DOUBLE, region.peak, "peak-x",
      G_TYPE_DOUBLE, region.peak_x, "peak-y", G_TYPE_DOUBLE, region.peak_y, nullptr);
  if (!std::isnan(region.normalized_peak))
    gst_structure_set(param, "normalized-score", G_TYPE_DOUBLE, region.normalized_peak, nullptr);
  gst_video_region_of_interest_meta_add_param(meta, param);
}

#ifdef HAVE_GST_ANALYTICS
/// A detection and its class, related in both directions by RELATE_TO, as objectdetectionoverlay
/// looks for them.
void attach_detection(GstAnalyticsRelationMeta* meta, const AnomalyRegion& region,
                      FrameSize frame) {
  const GQuark type = g_quark_from_static_string(kType);
  // Without a calibration there is no scale; the region is above the threshold all the same.
  const auto confidence = std::isnan(region.normalized_peak)
                              ? 1.0f
                              : static_cast<gfloat>(std::clamp(region.normalized_peak, 0.0, 1.0));
  const Box box = to_pixels(region, frame);
  GstAnalyticsODMtd detection;
  GstAnalyticsClsMtd classification;
  gst_analytics_relation_meta_add_od_mtd(meta, type, box.x, box.y, box.width, box.height,
                                         confidence, &detection);
  gst_analytics_relation_meta_add_one_cls_mtd(meta, confidence, type, &classification);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, detection.id,
                                           classification.id);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                           classification.id, detection.id);
}

bool attach_detections(GstBuffer* buffer, std::span<const AnomalyRegion> regions, FrameSize frame) {
  if (regions.empty()) return true;
  // The buffer's own one where it has one already.
  GstAnalyticsRelationMeta* meta = gst_buffer_add_analytics_relation_meta(buffer);
  for (const AnomalyRegion& region : regions) attach_detection(meta, region, frame);
  return true;
}

void read_detections(GstBuffer* buffer, std::vector<AttachedRegion>* regions) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  if (!meta) return;
  gpointer state = nullptr;
  GstAnalyticsMtd found;
  while (gst_analytics_relation_meta_iterate(meta, &state, gst_analytics_od_mtd_get_mtd_type(),
                                             &found)) {
    if (gst_analytics_od_mtd_get_obj_type(&found) != g_quark_from_static_string(kType)) continue;
    AttachedRegion region{};
    gfloat confidence;
    if (!gst_analytics_od_mtd_get_location(&found, &region.x, &region.y, &region.width,
                                           &region.height, &confidence))
      continue;
    region.confidence = confidence;
    regions->push_back(region);
  }
}
#else
void read_detections(GstBuffer*, std::vector<AttachedRegion>*) {}

bool attach_detections(GstBuffer*, std::span<const AnomalyRegion>, FrameSize) { return false; }
#endif

}  // namespace

bool analytics_available() {
#ifdef HAVE_GST_ANALYTICS
  return true;
#else
  return false;
#endif
}

bool attach_regions(GstBuffer* buffer, std::span<const AnomalyRegion> regions, guint frame_width,
                    guint frame_height, guint result, RegionMeta kind) {
  const FrameSize frame{static_cast<gint>(frame_width), static_cast<gint>(frame_height)};
  if (kind == RegionMeta::Auto)
    kind = analytics_available() ? RegionMeta::Analytics : RegionMeta::Roi;
  if (kind == RegionMeta::Analytics) return attach_detections(buffer, regions, frame);
  if (kind == RegionMeta::Roi)
    for (const AnomalyRegion& region : regions) attach_roi(buffer, region, frame, result);
  return true;
}

std::vector<AttachedRegion> attached_regions(GstBuffer* buffer) {
  std::vector<AttachedRegion> regions;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
    if (roi->roi_type != g_quark_from_static_string(kType)) continue;
    regions.push_back({static_cast<gint>(roi->x), static_cast<gint>(roi->y),
                       static_cast<gint>(roi->w), static_cast<gint>(roi->h),
                       gst_video_region_of_interest_meta_get_param(roi, kParameter), std::nullopt});
  }
  read_detections(buffer, &regions);
  return regions;
}

}  // namespace gstpatchcore
