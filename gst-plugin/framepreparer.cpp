// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framepreparer.hpp"

#include <algorithm>

#include "cudapreparer.hpp"
#include "systempreparer.hpp"

namespace gstpatchcore {
namespace {

/// The pixels of a region, one at least.
Area area_of(const Region& region, const View& view) {
  const auto pixel = [](gdouble at, guint size) {
    return static_cast<guint>(std::clamp(at, 0.0, 1.0) * size + 0.5);
  };
  const guint left = std::min(pixel(region.x, view.width), view.width - 1);
  const guint top = std::min(pixel(region.y, view.height), view.height - 1);
  const guint right = std::max(pixel(region.x + region.w, view.width), left + 1);
  const guint bottom = std::max(pixel(region.y + region.h, view.height), top + 1);
  return {left, top, right - left, bottom - top};
}

Region region_of(const Area& area, const View& view) {
  const gdouble w = view.width, h = view.height;
  return {area.x / w, area.y / h, area.width / w, area.height / h};
}

Region within(const Region& outer, const Region& inner) {
  return {outer.to_frame_x(inner.x), outer.to_frame_y(inner.y), outer.w * inner.w,
          outer.h * inner.h};
}

}  // namespace

std::unique_ptr<FramePreparer> FramePreparer::make(GstCaps* caps, std::string* why) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) {
    *why = "These caps can't be read as video.";
    return nullptr;
  }
  return is_cuda(caps) ? CudaPreparer::make(info, why) : SystemPreparer::make(info, why);
}

std::optional<View> FramePreparer::unlike_its_caps(GError** error) {
  g_set_error_literal(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                      "A frame doesn't hold what its caps say.");
  return {};
}

std::unique_ptr<Job> FramePreparer::make_job(const Region& region, const View& view,
                                             const Preparation& preparation, GError** error) {
  const Area area = aligned(area_of(region, view), view, info_);
  PatchcoreGeometry g;
  if (!library().patchcore_preprocess_get_geometry(preparation.preprocess, area.width, area.height,
                                                   view.pixel_aspect, &g, error))
    return nullptr;
  auto job = std::make_unique<Job>();
  job->width = g.width;
  job->height = g.height;
  job->region = within(region_of(area, view), {g.x, g.y, g.w, g.h});
  return fill(area, view, preparation, g.floats, job.get(), error) ? std::move(job) : nullptr;
}

std::vector<std::unique_ptr<Job>> FramePreparer::prepare(GstBuffer* buffer,
                                                         const Preparation& preparation,
                                                         std::span<const Region> regions,
                                                         GError** error) {
  const std::optional<View> view = map(buffer, error);
  if (!view) return {};
  std::vector<std::unique_ptr<Job>> jobs;
  for (const Region& region : regions) {
    auto job = make_job(region, *view, preparation, error);
    if (!job) break;
    jobs.push_back(std::move(job));
  }
  const bool all = jobs.size() == regions.size();
  const bool done = unmap(all ? error : nullptr);
  if (!all || !done) jobs.clear();
  return jobs;
}

}  // namespace gstpatchcore
