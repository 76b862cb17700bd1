// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-patchcoredetect
 * @title: patchcoredetect
 * @short_description: Visual anomaly detection with PatchCore
 *
 * patchcoredetect learns what normal looks like from frames that pass by, then gives each later
 * frame an anomaly score, a heatmap and a verdict.
 *
 * Learn:
 * |[
 * gst-launch-1.0 filesrc location=normal.mp4 ! decodebin ! videoconvert ! \
 *     patchcoredetect mode=fit bank-location=parts.safetensors ! fakesink
 * ]|
 * Watch, with what is found printed (-m) and painted:
 * |[
 * gst-launch-1.0 -m filesrc location=today.mp4 ! decodebin ! videoconvert ! \
 *     patchcoredetect bank-location=parts.safetensors ! videoconvert ! autovideosink
 * ]|
 * Or both in one go: the first 200 frames are learned unless there is a bank already.
 * |[
 * gst-launch-1.0 -m v4l2src ! videoconvert ! \
 *     patchcoredetect mode=auto bank-location=parts.safetensors ! videoconvert ! autovideosink
 * ]|
 *
 * Frames are never dropped or reordered. Each carries a GstPatchCoreMeta (gstpatchcoremeta.h), and
 * an element message "patchcore" with the same fields is posted for it.
 */
#include "gstpatchcoredetect.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "actions.hpp"
#include "cudaframes.hpp"
#include "opening.hpp"
#include "properties.hpp"
#include "samples.hpp"
#include "stream.hpp"

using namespace gstpatchcore;

GST_DEBUG_CATEGORY_STATIC(patchcoredetect_debug);
#define GST_CAT_DEFAULT patchcoredetect_debug

namespace {

/// What stands behind the GObject, guarded by the object lock. Whoever uses the stream holds a
/// reference: a flush or a query may come in while the state changes.
struct Private {
  Config config;
  LiveConfig live;
  std::shared_ptr<Stream> stream;        ///< from READY->PAUSED to PAUSED->READY
  std::shared_ptr<Opening> opening;      ///< during READY->PAUSED
  std::atomic<GstClockTime> latency{0};  ///< constant from PAUSED on
};

}  // namespace

struct _GstPatchCoreDetect {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Private* priv;
};

#define gst_patchcore_detect_parent_class parent_class
G_DEFINE_FINAL_TYPE(GstPatchCoreDetect, gst_patchcore_detect, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(patchcoredetect, "patchcoredetect", GST_RANK_NONE,
                            GST_TYPE_PATCHCORE_DETECT)

namespace {

constexpr const char* kCaps = GST_VIDEO_CAPS_MAKE(
    GST_VIDEO_FORMATS_ALL) ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES("memory:CUDAMemory", CUDA_FORMATS);

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(kCaps));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(kCaps));

/// nullptr where the element is in NULL or READY.
std::shared_ptr<Stream> stream_of(gpointer object) {
  GST_OBJECT_LOCK(object);
  auto stream = GST_PATCHCORE_DETECT(object)->priv->stream;
  GST_OBJECT_UNLOCK(object);
  return stream;
}

/// Runs a part of the element for GStreamer's C code, which no exception may reach.
template <typename Work>
GstFlowReturn guarded(gpointer element, Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(element, STREAM, FAILED, ("%s", error.what()), (nullptr));
    return GST_FLOW_ERROR;
  }
}

void src_task(gpointer data) {
  auto* self = GST_PATCHCORE_DETECT(data);
  const auto stream = stream_of(self);
  const GstFlowReturn flow = guarded(self, [&] {
    auto item = stream ? stream->next() : std::nullopt;
    return item ? stream->send(std::move(*item)) : GST_FLOW_FLUSHING;
  });
  if (flow == GST_FLOW_OK) return;

  GST_DEBUG_OBJECT(self, "pausing: %s", gst_flow_get_name(flow));
  gst_pad_pause_task(self->srcpad);
  if (!stream) return;
  const bool ended = stream->stop(flow);
  if (ended || flow == GST_FLOW_ERROR) gst_pad_push_event(self->srcpad, gst_event_new_eos());
}

bool start_task(GstPad* srcpad) {
  return gst_pad_start_task(srcpad, src_task, GST_PAD_PARENT(srcpad), nullptr);
}

/// The properties as they are for this frame, controlled ones at its time.
LiveConfig live_config(GstPatchCoreDetect* self, GstClockTime stream_time) {
  if (GST_CLOCK_TIME_IS_VALID(stream_time)) gst_object_sync_values(GST_OBJECT(self), stream_time);
  GST_OBJECT_LOCK(self);
  LiveConfig live = self->priv->live;
  GST_OBJECT_UNLOCK(self);
  return live;
}

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* data) {
  BufferPtr buffer(data);
  const auto stream = stream_of(parent);
  if (!stream) return GST_FLOW_FLUSHING;
  return guarded(parent, [&] {
    const GstClockTime time = stream->stream_time(buffer.get());
    return stream->receive(std::move(buffer), live_config(GST_PATCHCORE_DETECT(parent), time));
  });
}

gboolean sink_event(GstPad*, GstObject* parent, GstEvent* data) {
  auto* self = GST_PATCHCORE_DETECT(parent);
  EventPtr event(data);
  const auto stream = stream_of(parent);
  if (!stream) return FALSE;
  switch (GST_EVENT_TYPE(data)) {
    case GST_EVENT_FLUSH_START:
      gst_pad_push_event(self->srcpad, event.release());
      stream->set_flushing(true);
      gst_pad_pause_task(self->srcpad);
      return TRUE;
    case GST_EVENT_FLUSH_STOP: {
      const gboolean pushed = gst_pad_push_event(self->srcpad, event.release());
      stream->set_flushing(false);
      return start_task(self->srcpad) && pushed;
    }
    default: break;
  }
  if (GST_EVENT_IS_SERIALIZED(data)) return stream->receive_serialized(std::move(event));
  return gst_pad_push_event(self->srcpad, event.release());
}

gboolean src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  const auto stream = stream_of(parent);
  if (stream && GST_EVENT_TYPE(event) == GST_EVENT_QOS) stream->receive_qos(event);
  if (stream && GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE && stream->reopen()) start_task(pad);
  return gst_pad_event_default(pad, parent, event);
}

/// What the neighbours and the template have in common, without memory that can't be taken here.
gboolean query_caps(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (!gst_pad_query_default(pad, parent, query)) return FALSE;
  GstCaps* caps;
  gst_query_parse_caps_result(query, &caps);
  GstCaps* usable = without_unusable_memory(caps);
  gst_query_set_caps_result(query, usable);
  gst_caps_unref(usable);
  return TRUE;
}

gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) return query_caps(pad, parent, query);
  if (!GST_QUERY_IS_SERIALIZED(query)) return gst_pad_query_default(pad, parent, query);
  const auto stream = stream_of(parent);
  return stream && stream->receive_serialized(query);
}

gboolean src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) return query_caps(pad, parent, query);
  if (!gst_pad_query_default(pad, parent, query)) return FALSE;
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return TRUE;
  gboolean live;
  GstClockTime min, max;
  gst_query_parse_latency(query, &live, &min, &max);
  const GstClockTime own = GST_PATCHCORE_DETECT(parent)->priv->latency;
  gst_query_set_latency(query, live, min + own, GST_CLOCK_TIME_IS_VALID(max) ? max + own : max);
  return TRUE;
}

/// Both pads in push mode; the src pad's activation is that of its task.
gboolean src_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  const auto stream = stream_of(parent);
  if (!stream) return !active;
  if (active) {
    stream->set_flushing(false);
    return start_task(pad);
  }
  stream->set_flushing(true);
  return gst_pad_stop_task(pad);
}

gboolean sink_activate_mode(GstPad*, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  // Whoever waits in chain must return before the pad can be deactivated.
  const auto stream = stream_of(parent);
  if (!stream) return !active;
  if (!active) stream->set_flushing(true);
  return TRUE;
}

bool open_libpatchcore(GstPatchCoreDetect* self) {
  char* reason = nullptr;
  if (open_library(&reason)) return true;
  GST_ELEMENT_ERROR(self, LIBRARY, INIT, ("LibTorch or libpatchcore can't be loaded: %s", reason),
                    (nullptr));
  g_free(reason);
  return false;
}

/// Without one every frame would be normal, and nobody told.
void warn_without_threshold(GstPatchCoreDetect* self, const PatchcoreBankInfo& bank) {
  const bool given = live_config(self, GST_CLOCK_TIME_NONE).raw_threshold >= 0;
  if (bank.rows > 0 && !bank.calibrated && !given)
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS,
                        ("The bank is not calibrated, so no frame will be called anomalous; set "
                         "raw-threshold."),
                        (nullptr));
}

/// stream: nullptr where opening it failed. bank: that it was opened with.
void publish(GstPatchCoreDetect* self, std::shared_ptr<Stream> stream, const BankLocation& bank) {
  GST_OBJECT_LOCK(self);
  self->priv->opening.reset();
  self->priv->stream = stream;
  const BankLocation now = self->priv->config.bank();
  GST_OBJECT_UNLOCK(self);
  if (!stream) return;
  if (stream->session().scorer()) stream->session().tell_active_bank();
  if (now != bank) stream->session().set_bank_location(now);  // set meanwhile
}

bool open_stream(GstPatchCoreDetect* self) {
  GST_OBJECT_LOCK(self);
  const Config config = self->priv->config;
  GST_OBJECT_UNLOCK(self);
  auto stream = std::make_shared<Stream>(GST_ELEMENT(self), self->sinkpad, self->srcpad, config);
  const auto opening = std::make_shared<Opening>(GST_ELEMENT(self), stream);
  GST_OBJECT_LOCK(self);
  self->priv->opening = opening;
  GST_OBJECT_UNLOCK(self);
  const bool opened = opening->run();
  if (opened) {
    if (const auto scorer = stream->session().scorer()) warn_without_threshold(self, scorer->info);
    self->priv->latency = stream->session().max_latency();
    // An element that joins a pipeline has its clock before.
    GstClock* clock = gst_element_get_clock(GST_ELEMENT(self));
    stream->set_clock(clock);
    gst_clear_object(&clock);
  }
  publish(self, opened ? std::move(stream) : nullptr, config.bank());
  return opened;
}

void drop_stream(GstPatchCoreDetect* self) {
  // A FLUSH_STOP that was under way may have started it again.
  gst_pad_stop_task(self->srcpad);
  std::shared_ptr<Stream> dropped;
  GST_OBJECT_LOCK(self);
  dropped.swap(self->priv->stream);
  GST_OBJECT_UNLOCK(self);
}

}  // namespace

/// Who stops an element that is loading need not wait for that.
static GstStateChangeReturn gst_patchcore_detect_set_state(GstElement* element, GstState state) {
  if (state < GST_STATE_PAUSED) {
    GST_OBJECT_LOCK(element);
    const auto opening = GST_PATCHCORE_DETECT(element)->priv->opening;
    GST_OBJECT_UNLOCK(element);
    if (opening) opening->cancel();
  }
  return GST_ELEMENT_CLASS(gst_patchcore_detect_parent_class)->set_state(element, state);
}

static gboolean gst_patchcore_detect_set_clock(GstElement* element, GstClock* clock) {
  if (const auto stream = stream_of(element)) stream->set_clock(clock);
  return GST_ELEMENT_CLASS(gst_patchcore_detect_parent_class)->set_clock(element, clock);
}

static GstStateChangeReturn gst_patchcore_detect_change_state(GstElement* element,
                                                              GstStateChange transition) {
  auto* self = GST_PATCHCORE_DETECT(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !open_libpatchcore(self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
      guarded(self, [&] { return open_stream(self) ? GST_FLOW_OK : GST_FLOW_CUSTOM_ERROR; }) !=
          GST_FLOW_OK)
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) stream_of(self)->close();

  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_patchcore_detect_parent_class)->change_state(element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    drop_stream(self);
  return result;
}

static void gst_patchcore_detect_set_property(GObject* object, guint id, const GValue* value,
                                              GParamSpec* spec) {
  Private* priv = GST_PATCHCORE_DETECT(object)->priv;
  GST_OBJECT_LOCK(object);
  const bool known = set_property(priv->config, priv->live, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

/// Comes once for all that g_object_set() sets in one call, so that a file and the name of a bank
/// in it are one change.
static void gst_patchcore_detect_properties_changed(GObject* object, guint count,
                                                    GParamSpec** specs) {
  Private* priv = GST_PATCHCORE_DETECT(object)->priv;
  const bool another_bank = std::any_of(specs, specs + count, [](const GParamSpec* spec) {
    return g_str_equal(spec->name, "bank-location") || g_str_equal(spec->name, "bank-name");
  });
  GST_OBJECT_LOCK(object);
  const BankLocation bank = priv->config.bank();
  const auto stream = priv->stream;
  GST_OBJECT_UNLOCK(object);
  if (stream && another_bank) stream->session().set_bank_location(bank);
  G_OBJECT_CLASS(gst_patchcore_detect_parent_class)
      ->dispatch_properties_changed(object, count, specs);
}

static void gst_patchcore_detect_get_property(GObject* object, guint id, GValue* value,
                                              GParamSpec* spec) {
  if (get_state(stream_of(object).get(), id, value)) return;
  Private* priv = GST_PATCHCORE_DETECT(object)->priv;
  GST_OBJECT_LOCK(object);
  const bool known = get_property(priv->config, priv->live, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_patchcore_detect_finalize(GObject* object) {
  delete GST_PATCHCORE_DETECT(object)->priv;
  G_OBJECT_CLASS(gst_patchcore_detect_parent_class)->finalize(object);
}

static void gst_patchcore_detect_class_init(GstPatchCoreDetectClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(patchcoredetect_debug, "patchcoredetect", 0, "PatchCore");

  object_class->set_property = gst_patchcore_detect_set_property;
  object_class->get_property = gst_patchcore_detect_get_property;
  object_class->dispatch_properties_changed = gst_patchcore_detect_properties_changed;
  object_class->finalize = gst_patchcore_detect_finalize;
  install_properties(object_class);

  install_actions(G_TYPE_FROM_CLASS(klass), stream_of);

  element_class->set_state = gst_patchcore_detect_set_state;
  element_class->change_state = gst_patchcore_detect_change_state;
  element_class->set_clock = gst_patchcore_detect_set_clock;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "PatchCore anomaly detection", "Filter/Analyzer/Video",
      "Learns what normal looks like, then scores each frame and shows where it is anomalous",
      "The patchcore developers");
}

static void gst_patchcore_detect_init(GstPatchCoreDetect* self) {
  self->priv = new Private();
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, chain);
  gst_pad_set_event_function(self->sinkpad, sink_event);
  gst_pad_set_query_function(self->sinkpad, sink_query);
  gst_pad_set_activatemode_function(self->sinkpad, sink_activate_mode);
  GST_PAD_SET_PROXY_CAPS(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->srcpad, src_event);
  gst_pad_set_query_function(self->srcpad, src_query);
  gst_pad_set_activatemode_function(self->srcpad, src_activate_mode);
  GST_PAD_SET_PROXY_CAPS(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}
