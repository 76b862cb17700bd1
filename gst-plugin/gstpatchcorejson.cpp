// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-patchcorejson
 * @title: patchcorejson
 * @short_description: What patchcoredetect has found, as JSON lines
 *
 * Turns frames into text: for each buffer that carries results of patchcoredetect one line of JSON,
 * with the buffer's time. Whatever kind of buffer it is: an encoder may lie between. A buffer
 * without results becomes a GAP.
 *
 * Into a file, beside the picture:
 * |[
 * gst-launch-1.0 filesrc location=today.mp4 ! decodebin ! videoconvert ! \
 *     patchcoredetect bank-location=parts.safetensors ! tee name=t \
 *     t. ! queue ! patchcorejson ! filesink location=today.jsonl \
 *     t. ! queue ! videoconvert ! autovideosink
 * ]|
 * To whoever connects:
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! patchcoredetect bank-location=parts.safetensors ! \
 *     patchcorejson ! tcpserversink port=5000
 * ]|
 *
 * docs/patchcorejson.schema.json describes a line.
 */
#include "gstpatchcorejson.h"

#include <gst/video/video.h>

#include "handles.hpp"
#include "jsonline.hpp"

using namespace gstpatchcore;

struct _GstPatchCoreJson {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;

  // The streaming thread's alone.
  GstSegment segment;
  FrameSize size;
};

#define gst_patchcore_json_parent_class parent_class
G_DEFINE_FINAL_TYPE(GstPatchCoreJson, gst_patchcore_json, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(patchcorejson, "patchcorejson", GST_RANK_NONE, GST_TYPE_PATCHCORE_JSON)

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("application/x-json"));

void push_caps(GstPatchCoreJson* self) {
  if (gst_pad_has_current_caps(self->srcpad)) return;
  GstCaps* caps = gst_static_pad_template_get_caps(&src_template);
  gst_pad_push_event(self->srcpad, gst_event_new_caps(caps));
  gst_caps_unref(caps);
}

BufferPtr line_of(GstPatchCoreJson* self, GstBuffer* frame) {
  const auto line =
      json_line(frame, moment_of(GST_ELEMENT(self), self->segment, frame), self->size);
  if (!line) return nullptr;
  BufferPtr text(gst_buffer_new_memdup(line->data(), line->size()));
  GST_BUFFER_PTS(text.get()) = GST_BUFFER_PTS(frame);
  GST_BUFFER_DURATION(text.get()) = GST_BUFFER_DURATION(frame);
  return text;
}

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* data) {
  auto* self = GST_PATCHCORE_JSON(parent);
  const BufferPtr frame(data);
  try {
    if (BufferPtr text = line_of(self, frame.get()))
      return gst_pad_push(self->srcpad, text.release());
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(self, STREAM, FAILED, ("%s", error.what()), (nullptr));
    return GST_FLOW_ERROR;
  }
  // Downstream learns that time goes on, else it would preroll for ever.
  if (GST_BUFFER_PTS_IS_VALID(data))
    gst_pad_push_event(self->srcpad,
                       gst_event_new_gap(GST_BUFFER_PTS(data), GST_BUFFER_DURATION(data)));
  return GST_FLOW_OK;
}

FrameSize size_of(GstCaps* caps) {
  FrameSize size;
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  if (!gst_structure_get_int(structure, "width", &size.width) ||
      !gst_structure_get_int(structure, "height", &size.height))
    return {};
  return size;
}

gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  auto* self = GST_PATCHCORE_JSON(parent);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps* caps;
      gst_event_parse_caps(event, &caps);
      self->size = size_of(caps);
      gst_event_unref(event);
      push_caps(self);
      return TRUE;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &self->segment);
      push_caps(self);  // frames need not have any
      break;
    case GST_EVENT_FLUSH_STOP: gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED); break;
    default: break;
  }
  return gst_pad_event_default(pad, parent, event);
}

/// Frames are never looked into: whatever they lie in will do. What is downstream takes lines.
gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
    return gst_pad_query_default(pad, parent, query);
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  return TRUE;
}

}  // namespace

static GstStateChangeReturn gst_patchcore_json_change_state(GstElement* element,
                                                            GstStateChange transition) {
  auto* self = GST_PATCHCORE_JSON(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->size = {};
  }
  return GST_ELEMENT_CLASS(gst_patchcore_json_parent_class)->change_state(element, transition);
}

static void gst_patchcore_json_class_init(GstPatchCoreJsonClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = gst_patchcore_json_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "PatchCore results as JSON", "Converter/Metadata",
      "Turns what patchcoredetect says of frames into JSON lines", "The patchcore developers");
}

static void gst_patchcore_json_init(GstPatchCoreJson* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, chain);
  gst_pad_set_event_function(self->sinkpad, sink_event);
  gst_pad_set_query_function(self->sinkpad, sink_query);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_use_fixed_caps(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}
