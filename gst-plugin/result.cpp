// SPDX-License-Identifier: LGPL-2.1-or-later
#include "result.hpp"

#include "gstpatchcoremeta.h"
#include "verdict.hpp"

namespace gstpatchcore {
namespace {

void add_score(GstStructure* structure, const Job& job, const Scorer& scorer,
               const LiveConfig& live) {
  const PatchcoreResult& r = job.result;
  const Verdict verdict(scorer.info, live);
  gst_structure_set(structure, "score", G_TYPE_DOUBLE, r.score, "anomalous", G_TYPE_BOOLEAN,
                    verdict.anomalous(r), "peak-x", G_TYPE_DOUBLE, job.region.to_frame_x(r.peak_x),
                    "peak-y", G_TYPE_DOUBLE, job.region.to_frame_y(r.peak_y), "inference-time",
                    G_TYPE_UINT64, job.inference_time, "model", G_TYPE_STRING,
                    library().patchcore_bank_get_model(scorer.bank.get()), "bank-id", G_TYPE_STRING,
                    library().patchcore_bank_get_id(scorer.bank.get()), nullptr);
  if (scorer.info.calibrated)
    gst_structure_set(structure, "normalized-score", G_TYPE_DOUBLE, r.normalized_score, nullptr);
  if (verdict.scale() != Verdict::Scale::None)
    gst_structure_set(structure,
                      verdict.scale() == Verdict::Scale::Raw ? "raw-threshold" : "threshold",
                      G_TYPE_DOUBLE, verdict.threshold(), nullptr);
}

void add_roi(GstStructure* structure, const RegionOfInterest& roi) {
  gst_structure_set(structure, "roi-x", G_TYPE_DOUBLE, roi.region.x, "roi-y", G_TYPE_DOUBLE,
                    roi.region.y, "roi-width", G_TYPE_DOUBLE, roi.region.w, "roi-height",
                    G_TYPE_DOUBLE, roi.region.h, "roi-type", G_TYPE_STRING, roi.type.c_str(),
                    "roi-id", G_TYPE_INT, roi.id, nullptr);
}

/// The list of results on a buffer as far as it goes; of GST_TYPE_LIST.
GValue list_of(const GstStructure* structure) {
  GValue list = G_VALUE_INIT;
  const GValue* before = gst_structure_get_value(structure, "results");
  if (before && GST_VALUE_HOLDS_LIST(before)) {
    g_value_init(&list, GST_TYPE_LIST);
    g_value_copy(before, &list);
  } else {
    gst_value_list_init(&list, 1);
  }
  return list;
}

/// As GStreamer copies a custom meta, but once: a depayloader gives a frame the metas of each of
/// its packets.
gboolean copy_results(GstBuffer* to, GstCustomMeta* meta, GstBuffer*, GQuark type, gpointer,
                      gpointer) {
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;
  if (gst_buffer_get_custom_meta(to, GST_PATCHCORE_META_NAME)) return TRUE;
  const GValue* results = gst_structure_get_value(gst_custom_meta_get_structure(meta), "results");
  GstCustomMeta* copy = gst_buffer_add_custom_meta(to, GST_PATCHCORE_META_NAME);
  if (results) gst_structure_set_value(gst_custom_meta_get_structure(copy), "results", results);
  return TRUE;
}

}  // namespace

void register_meta() {
  const gchar* no_tags[] = {nullptr};
  if (!gst_meta_get_info(GST_PATCHCORE_META_NAME))
    gst_meta_register_custom(GST_PATCHCORE_META_NAME, no_tags, copy_results, nullptr, nullptr);
}

std::vector<StructurePtr> make_results(FrameState state, const Inspection* shown,
                                       const LiveConfig& live, const std::string& camera_id) {
  const size_t count = shown ? shown->jobs.size() : 0;
  std::vector<StructurePtr> results;
  for (size_t i = 0; i < std::max<size_t>(count, 1); ++i) {
    StructurePtr result(gst_structure_new(
        "patchcore", "version", G_TYPE_INT, GST_PATCHCORE_META_VERSION, "state", G_TYPE_STRING,
        nick(state), "camera-id", G_TYPE_STRING, camera_id.c_str(), nullptr));
    if (i < count) {
      if (shown->scorer) {
        add_score(result.get(), *shown->jobs[i], *shown->scorer, live);
        gst_structure_set(result.get(), "result-pts", G_TYPE_UINT64, shown->moment.timestamp,
                          nullptr);
      }
      if (!shown->rois.empty()) add_roi(result.get(), shown->rois[i]);
    }
    results.push_back(std::move(result));
  }
  return results;
}

bool is_marked(const Job& job, const Scorer& scorer, const LiveConfig& live) {
  const Verdict verdict(scorer.info, live);
  return verdict.scale() == Verdict::Scale::None || verdict.anomalous(job.result);
}

void append_structure(GValue* list, const GstStructure* structure) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_STRUCTURE);
  gst_value_set_structure(&value, structure);
  gst_value_list_append_and_take_value(list, &value);
}

guint attach_results(GstBuffer* buffer, const std::vector<StructurePtr>& results) {
  GstCustomMeta* meta = gst_buffer_get_custom_meta(buffer, GST_PATCHCORE_META_NAME);
  if (!meta) meta = gst_buffer_add_custom_meta(buffer, GST_PATCHCORE_META_NAME);
  GstStructure* structure = gst_custom_meta_get_structure(meta);
  GValue list = list_of(structure);
  const guint first = gst_value_list_get_size(&list);
  for (const StructurePtr& result : results) {
    append_structure(&list, result.get());
  }
  gst_structure_take_value(structure, "results", &list);
  return first;
}

void post_result(GstElement* element, const Moment& moment, const GstStructure* result) {
  GstStructure* message = gst_structure_copy(result);
  add_moment(message, moment);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), message));
}

}  // namespace gstpatchcore
