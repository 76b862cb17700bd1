// SPDX-License-Identifier: LGPL-2.1-or-later
#include "result.hpp"

#include <cmath>

#include "gstpatchcoremeta.h"

namespace gstpatchcore {
namespace {

bool is_anomalous(const PatchcoreResult& result, const PatchcoreBankInfo& bank,
                  const LiveConfig& live) {
  if (live.raw_threshold >= 0) return result.score >= live.raw_threshold;
  return bank.calibrated && result.normalized_score >= live.threshold;
}

void add_score(GstStructure* structure, const Job& job, const PatchcoreBankInfo& bank,
               const LiveConfig& live) {
  const PatchcoreResult& r = job.result;
  gst_structure_set(structure, "score", G_TYPE_DOUBLE, r.score, "anomalous", G_TYPE_BOOLEAN,
                    is_anomalous(r, bank, live), "peak-x", G_TYPE_DOUBLE,
                    job.region.to_frame_x(r.peak_x), "peak-y", G_TYPE_DOUBLE,
                    job.region.to_frame_y(r.peak_y), "inference-time", G_TYPE_UINT64,
                    job.inference_time, nullptr);
  if (bank.calibrated)
    gst_structure_set(structure, "normalized-score", G_TYPE_DOUBLE, r.normalized_score, nullptr);
  if (live.raw_threshold >= 0)
    gst_structure_set(structure, "raw-threshold", G_TYPE_DOUBLE, live.raw_threshold, nullptr);
  else if (bank.calibrated)
    gst_structure_set(structure, "threshold", G_TYPE_DOUBLE, live.threshold, nullptr);
}

}  // namespace

void register_meta() {
  const gchar* no_tags[] = {nullptr};
  if (!gst_meta_get_info(GST_PATCHCORE_META_NAME))
    gst_meta_register_custom(GST_PATCHCORE_META_NAME, no_tags, nullptr, nullptr, nullptr);
}

StructurePtr make_result(const Frame& frame, const PatchcoreBankInfo& bank, const LiveConfig& live,
                         const std::string& camera_id) {
  StructurePtr result(gst_structure_new(
      "patchcore", "version", G_TYPE_INT, GST_PATCHCORE_META_VERSION, "state", G_TYPE_STRING,
      nick(frame.state), "camera-id", G_TYPE_STRING, camera_id.c_str(), nullptr));
  if (frame.state == FrameState::Scored) add_score(result.get(), *frame.job, bank, live);
  return result;
}

bool shows_heatmap(const GstStructure* result) {
  gboolean anomalous = FALSE;
  gst_structure_get_boolean(result, "anomalous", &anomalous);
  return anomalous || !(gst_structure_has_field(result, "threshold") ||
                        gst_structure_has_field(result, "raw-threshold"));
}

void attach_result(GstBuffer* buffer, const GstStructure* result) {
  GstCustomMeta* meta = gst_buffer_get_custom_meta(buffer, GST_PATCHCORE_META_NAME);
  if (!meta) meta = gst_buffer_add_custom_meta(buffer, GST_PATCHCORE_META_NAME);
  GstStructure* structure = gst_custom_meta_get_structure(meta);

  GValue list = G_VALUE_INIT;
  if (const GValue* before = gst_structure_get_value(structure, "results")) {
    g_value_init(&list, GST_TYPE_LIST);
    g_value_copy(before, &list);
  } else {
    gst_value_list_init(&list, 1);
  }
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_STRUCTURE);
  gst_value_set_structure(&value, result);
  gst_value_list_append_and_take_value(&list, &value);
  gst_structure_take_value(structure, "results", &list);
}

void post_result(GstElement* element, const GstSegment& segment, GstBuffer* buffer,
                 const GstStructure* result) {
  const GstClockTime timestamp = GST_BUFFER_PTS(buffer);
  const bool timed = segment.format == GST_FORMAT_TIME;
  const auto in_time = [&](guint64 (*convert)(const GstSegment*, GstFormat, guint64)) {
    return timed ? convert(&segment, GST_FORMAT_TIME, timestamp) : GST_CLOCK_TIME_NONE;
  };
  GstStructure* message = gst_structure_copy(result);
  gst_structure_set(message, "timestamp", G_TYPE_UINT64, timestamp, "stream-time", G_TYPE_UINT64,
                    in_time(gst_segment_to_stream_time), "running-time", G_TYPE_UINT64,
                    in_time(gst_segment_to_running_time), "duration", G_TYPE_UINT64,
                    GST_BUFFER_DURATION(buffer), nullptr);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), message));
}

}  // namespace gstpatchcore
