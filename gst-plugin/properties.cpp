// SPDX-License-Identifier: LGPL-2.1-or-later
#include "properties.hpp"

#include <array>

namespace gstpatchcore {
namespace {

enum PropertyId : guint {
  kMode = 1,
  kBankLocation,
  kActiveBank,
  kBackbone,
  kWeightsLocation,
  kLayers,
  kPreset,
  kInputSize,
  kCrop,
  kDevice,
  kPrecision,
  kInferenceRegion,
  kRoiType,
  kBatchSize,
  kRealtime,
  kMaxLatency,
  kMaxQueued,
  kFitFrames,
  kCoresetRatio,
  kMaxBankSize,
  kSeed,
  kHistoryBytes,
  kThreshold,
  kRawThreshold,
  kInferenceInterval,
  kOverlay,
  kOpacity,
  kAlarmFrames,
  kAlarmHysteresis,
  kPostMessages,
  kAttachMap,
  kRegionMeta,
  kCameraId,
  kStats,
};

// An enum's values are indices into its nicks, which are libpatchcore's own names.
constexpr GEnumValue kModes[] = {{0, "Score frames with the bank at bank-location", "detect"},
                                 {1, "Build a bank of the frames that pass", "fit"},
                                 {2, "Detect where there is a bank, else build one first", "auto"},
                                 {0, nullptr, nullptr}};
constexpr GEnumValue kBackbones[] = {{0, "The library's own, needs no weights", "builtin"},
                                     {1, "ResNet-18", "resnet18"},
                                     {2, "ResNet-50", "resnet50"},
                                     {3, "Wide ResNet-50-2", "wide_resnet50_2"},
                                     {0, nullptr, nullptr}};
constexpr GEnumValue kPresets[] = {{0, "The paper's choices", "paper"},
                                   {1, "amazon-science/patchcore-inspection's", "official"},
                                   {2, "anomalib's", "anomalib"},
                                   {3, "The article's", "article"},
                                   {0, nullptr, nullptr}};
constexpr GEnumValue kPrecisions[] = {{0, "The bank's, else fp32", "auto"},
                                      {1, "32-bit floats", "fp32"},
                                      {2, "bfloat16", "bf16"},
                                      {3, "16-bit floats", "fp16"},
                                      {0, nullptr, nullptr}};
constexpr GEnumValue kOverlays[] = {
    {0, "Frames pass unchanged", "none"},
    {1, "The anomaly map in colours over anomalous frames", "heatmap"},
    {0, nullptr, nullptr}};

constexpr GEnumValue kRealtimes[] = {
    {0, "Yes where upstream is live", "auto"},
    {1, "A frame leaves after max-latency at most, inferred or not", "yes"},
    {2, "Every frame that is due is inferred", "no"},
    {0, nullptr, nullptr}};
constexpr GEnumValue kInferenceRegions[] = {
    {0, "The whole frame", "frame"},
    {1, "Each region of interest that an element before has found", "roi"},
    {0, nullptr, nullptr}};

constexpr GEnumValue kRegionMetas[] = {
#ifdef HAVE_GST_ANALYTICS
    {static_cast<gint>(RegionMeta::Auto), "As analytics", "auto"},
    {static_cast<gint>(RegionMeta::Analytics), "GstAnalytics detections", "analytics"},
#else
    {static_cast<gint>(RegionMeta::Auto), "As roi, since this build has no GstAnalytics", "auto"},
#endif
    {static_cast<gint>(RegionMeta::Roi), "GstVideoRegionOfInterestMeta", "roi"},
    {static_cast<gint>(RegionMeta::None), "Not at all", "none"},
    {0, nullptr, nullptr}};

GType enum_type(const char* name, const GEnumValue* values) {
  const GType known = g_type_from_name(name);
  return known ? known : g_enum_register_static(name, values);
}

gint value_of(const GEnumValue* values, const std::string& nick) {
  for (; values->value_nick; ++values)
    if (nick == values->value_nick) return values->value;
  return 0;
}

const char* nick_of(const GEnumValue* values, const GValue* value) {
  return values[g_value_get_enum(value)].value_nick;
}

std::string text_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text ? text : "";
}

std::vector<std::string> names_of(const GValue* value) {
  std::vector<std::string> names;
  for (guint i = 0; i < gst_value_array_get_size(value); ++i)
    names.push_back(text_of(gst_value_array_get_value(value, i)));
  return names;
}

void put_names(GValue* value, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    GValue text = G_VALUE_INIT;
    g_value_init(&text, G_TYPE_STRING);
    g_value_set_string(&text, name.c_str());
    gst_value_array_append_and_take_value(value, &text);
  }
}

constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
constexpr auto kWrite = static_cast<GParamFlags>(kRead | G_PARAM_WRITABLE);
constexpr auto kReady = static_cast<GParamFlags>(kWrite | GST_PARAM_MUTABLE_READY);
constexpr auto kPlaying = static_cast<GParamFlags>(kWrite | GST_PARAM_MUTABLE_PLAYING);
constexpr auto kControlled = static_cast<GParamFlags>(kPlaying | GST_PARAM_CONTROLLABLE);

void install_bank_properties(GObjectClass* klass) {
  const Config d;
  const auto add = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  add(kMode, g_param_spec_enum("mode", "Mode", "What to do with the frames",
                               enum_type("GstPatchCoreMode", kModes), 0, kReady));
  add(kBankLocation,
      g_param_spec_string(
          "bank-location", "Bank location",
          "The bank file to score with, or to write; while PLAYING another one takes "
          "over between two frames",
          nullptr, kPlaying));
  add(kActiveBank, g_param_spec_string("active-bank", "Active bank",
                                       "The bank that scores (NULL = none)", nullptr, kRead));
  add(kFitFrames, g_param_spec_uint("fit-frames", "Fit frames",
                                    "Frames to learn from; an earlier EOS ends the fit too", 1,
                                    G_MAXINT, d.fit_frames, kReady));
  add(kCoresetRatio,
      g_param_spec_double("coreset-ratio", "Coreset ratio", "Bank rows for each patch learned",
                          1e-6, 1.0, d.coreset_ratio, kReady));
  add(kMaxBankSize,
      g_param_spec_uint("max-bank-size", "Max bank size", "Rows of the bank at most (0 = no limit)",
                        0, G_MAXINT, d.max_bank_size, kReady));
  add(kSeed, g_param_spec_uint64("seed", "Seed", "Of the fit's random choices", 0, G_MAXUINT64,
                                 d.seed, kReady));
  add(kHistoryBytes,
      g_param_spec_uint64("history-bytes", "History bytes",
                          "Of patches above the threshold that are kept for add-normal at most "
                          "(0 = none)",
                          0, G_MAXUINT64, d.history_bytes, kReady));
}

void install_network_properties(GObjectClass* klass) {
  const Config d;
  const auto add = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  add(kBackbone,
      g_param_spec_enum("backbone", "Backbone", "The network of a fit; a bank brings its own",
                        enum_type("GstPatchCoreBackbone", kBackbones), 0, kReady));
  add(kWeightsLocation,
      g_param_spec_string("weights-location", "Weights location",
                          "The network's weights (safetensors); overrides where the bank says",
                          nullptr, kReady));
  add(kLayers, gst_param_spec_array(
                   "layers", "Layers",
                   "Of a fit: the backbone's layers, finest first (empty = its usual ones)",
                   g_param_spec_string("layer", "Layer", "Its name", nullptr, kReady), kReady));
  add(kPreset,
      g_param_spec_enum("preset", "Preset", "Whose choices a fit follows; a bank brings its own",
                        enum_type("GstPatchCorePreset", kPresets), 2, kReady));
  add(kInputSize, g_param_spec_uint("input-size", "Input size",
                                    "Of a fit: the shorter side of the frame becomes this many "
                                    "pixels, 16 at least, the aspect is kept (0 = size and "
                                    "crop as the preset has them)",
                                    0, 8192, d.input_size, kReady));
  add(kCrop,
      g_param_spec_uint("crop", "Crop",
                        "Of a fit: side of the centred square that is looked at, in pixels of "
                        "the input (0 = the whole frame)",
                        0, 8192, d.crop, kReady));
  add(kDevice,
      g_param_spec_string("device", "Device", "auto, cpu or cuda:N", d.device.c_str(), kReady));
  add(kPrecision, g_param_spec_enum("precision", "Precision", "Of the network's arithmetic",
                                    enum_type("GstPatchCorePrecision", kPrecisions), 0, kReady));
}

void install_batching_properties(GObjectClass* klass) {
  const Config d;
  const auto add = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  add(kInferenceRegion,
      g_param_spec_enum("inference-region", "Inference region", "What is looked at",
                        enum_type("GstPatchCoreInferenceRegion", kInferenceRegions), 0, kReady));
  add(kRoiType,
      g_param_spec_string("roi-type", "ROI type",
                          "Regions of interest of this type only (NULL = all but \"anomaly\")",
                          nullptr, kReady));
  add(kBatchSize,
      g_param_spec_uint("batch-size", "Batch size", "Frames at most in one pass of the network", 1,
                        1024, d.batch_size, kReady));
  add(kRealtime, g_param_spec_enum("realtime", "Realtime", "Do frames keep to max-latency?",
                                   enum_type("GstPatchCoreRealtime", kRealtimes), 0, kReady));
  add(kMaxLatency, g_param_spec_uint64("max-latency", "Max latency",
                                       "Nanoseconds after which a frame leaves in realtime, and "
                                       "the element's latency (0 = twice the time of a full batch)",
                                       0, kMostLatency, d.max_latency, kReady));
  add(kMaxQueued, g_param_spec_uint("max-queued", "Max queued",
                                    "Frames held at most when not in realtime (0 = twice the "
                                    "batch size)",
                                    0, kMostQueued, d.max_queued, kReady));
}

void install_live_properties(GObjectClass* klass) {
  const LiveConfig d;
  const auto add = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  add(kThreshold, g_param_spec_double("threshold", "Threshold",
                                      "Normalized score from which on a frame is anomalous "
                                      "(0.5 = as calibrated)",
                                      0.0, 1.0, d.threshold, kControlled));
  add(kRawThreshold,
      g_param_spec_double("raw-threshold", "Raw threshold",
                          "The same of the raw score, instead of threshold (-1 = none)", -1.0,
                          G_MAXDOUBLE, d.raw_threshold, kControlled));
  add(kInferenceInterval,
      g_param_spec_uint("inference-interval", "Inference interval",
                        "Every Nth frame is inferred, the others carry the last result (0 = those "
                        "that an event patchcore-trigger asks for)",
                        0, G_MAXINT, d.inference_interval, kControlled));
  add(kOverlay, g_param_spec_enum("overlay", "Overlay", "What is painted on the frame",
                                  enum_type("GstPatchCoreOverlay", kOverlays), 1, kControlled));
  add(kOpacity, g_param_spec_double("opacity", "Opacity", "Of the overlay", 0.0, 1.0, d.opacity,
                                    kControlled));
  add(kAlarmFrames,
      g_param_spec_uint("alarm-frames", "Alarm frames",
                        "Anomalous frames in a row that start an alarm, and normal ones that stop "
                        "it",
                        1, G_MAXINT, d.alarm_frames, kPlaying));
  add(kAlarmHysteresis,
      g_param_spec_double("alarm-hysteresis", "Alarm hysteresis",
                          "How far below the threshold an alarm stops, of the normalized score (of "
                          "a raw threshold: this share of it)",
                          0.0, 1.0, d.alarm_hysteresis, kPlaying));
  add(kPostMessages,
      g_param_spec_boolean("post-messages", "Post messages", "An element message for each frame",
                           d.post_messages, kPlaying));
  add(kAttachMap,
      g_param_spec_boolean("attach-map", "Attach map", "Put the anomaly map on scored frames",
                           d.attach_map, kPlaying));
  add(kRegionMeta, g_param_spec_enum("region-meta", "Region meta",
                                     "How regions above the threshold are put on anomalous frames",
                                     enum_type("GstPatchCoreRegionMeta", kRegionMetas),
                                     static_cast<gint>(d.region_meta), kPlaying));
  add(kCameraId, g_param_spec_string("camera-id", "Camera id",
                                     "Named in metadata and messages (NULL = the stream-id)",
                                     nullptr, kPlaying));
  add(kStats, g_param_spec_boxed("stats", "Statistics", "Since the element went to PAUSED",
                                 GST_TYPE_STRUCTURE, kRead));
}

}  // namespace

void install_properties(GObjectClass* klass) {
  install_bank_properties(klass);
  install_network_properties(klass);
  install_batching_properties(klass);
  install_live_properties(klass);
}

bool is_bank_location(guint id) { return id == kBankLocation; }

bool get_state(const Stream* stream, guint id, GValue* value) {
  if (id == kStats) {
    g_value_take_boxed(
        value, (stream ? stream->statistics().structure() : Statistics().structure()).release());
    return true;
  }
  if (id != kActiveBank) return false;
  const auto scorer = stream ? stream->session().scorer() : nullptr;
  g_value_set_string(value, scorer ? scorer->location.c_str() : nullptr);
  return true;
}

bool set_property(Config& c, LiveConfig& live, guint id, const GValue* v) {
  switch (id) {
    case kMode: c.mode = static_cast<Mode>(g_value_get_enum(v)); return true;
    case kBankLocation: c.bank_location = text_of(v); return true;
    case kBackbone: c.backbone = nick_of(kBackbones, v); return true;
    case kWeightsLocation: c.weights_location = text_of(v); return true;
    case kLayers: c.layers = names_of(v); return true;
    case kPreset: c.preset = nick_of(kPresets, v); return true;
    case kInputSize: c.input_size = g_value_get_uint(v); return true;
    case kCrop: c.crop = g_value_get_uint(v); return true;
    case kDevice: c.device = text_of(v); return true;
    case kPrecision: c.precision = nick_of(kPrecisions, v); return true;
    case kInferenceRegion:
      c.inference_region = static_cast<InferenceRegion>(g_value_get_enum(v));
      return true;
    case kRoiType: c.roi_type = text_of(v); return true;
    case kBatchSize: c.batch_size = g_value_get_uint(v); return true;
    case kRealtime: c.realtime = static_cast<Realtime>(g_value_get_enum(v)); return true;
    case kMaxLatency: c.max_latency = g_value_get_uint64(v); return true;
    case kMaxQueued: c.max_queued = g_value_get_uint(v); return true;
    case kFitFrames: c.fit_frames = g_value_get_uint(v); return true;
    case kCoresetRatio: c.coreset_ratio = g_value_get_double(v); return true;
    case kMaxBankSize: c.max_bank_size = g_value_get_uint(v); return true;
    case kSeed: c.seed = g_value_get_uint64(v); return true;
    case kHistoryBytes: c.history_bytes = g_value_get_uint64(v); return true;
    case kThreshold: live.threshold = g_value_get_double(v); return true;
    case kRawThreshold: live.raw_threshold = g_value_get_double(v); return true;
    case kInferenceInterval: live.inference_interval = g_value_get_uint(v); return true;
    case kOverlay: live.overlay = static_cast<Overlay>(g_value_get_enum(v)); return true;
    case kOpacity: live.opacity = g_value_get_double(v); return true;
    case kAlarmFrames: live.alarm_frames = g_value_get_uint(v); return true;
    case kAlarmHysteresis: live.alarm_hysteresis = g_value_get_double(v); return true;
    case kPostMessages: live.post_messages = g_value_get_boolean(v); return true;
    case kAttachMap: live.attach_map = g_value_get_boolean(v); return true;
    case kRegionMeta: live.region_meta = static_cast<RegionMeta>(g_value_get_enum(v)); return true;
    case kCameraId: live.camera_id = text_of(v); return true;
    default: return false;
  }
}

bool get_property(const Config& c, const LiveConfig& live, guint id, GValue* v) {
  const auto put_text = [&](const std::string& text) {
    g_value_set_string(v, text.empty() ? nullptr : text.c_str());
    return true;
  };
  switch (id) {
    case kMode: g_value_set_enum(v, static_cast<gint>(c.mode)); return true;
    case kBankLocation: return put_text(c.bank_location);
    case kBackbone: g_value_set_enum(v, value_of(kBackbones, c.backbone)); return true;
    case kWeightsLocation: return put_text(c.weights_location);
    case kLayers: put_names(v, c.layers); return true;
    case kPreset: g_value_set_enum(v, value_of(kPresets, c.preset)); return true;
    case kInputSize: g_value_set_uint(v, c.input_size); return true;
    case kCrop: g_value_set_uint(v, c.crop); return true;
    case kDevice: return put_text(c.device);
    case kPrecision: g_value_set_enum(v, value_of(kPrecisions, c.precision)); return true;
    case kInferenceRegion: g_value_set_enum(v, static_cast<gint>(c.inference_region)); return true;
    case kRoiType: return put_text(c.roi_type);
    case kBatchSize: g_value_set_uint(v, c.batch_size); return true;
    case kRealtime: g_value_set_enum(v, static_cast<gint>(c.realtime)); return true;
    case kMaxLatency: g_value_set_uint64(v, c.max_latency); return true;
    case kMaxQueued: g_value_set_uint(v, c.max_queued); return true;
    case kFitFrames: g_value_set_uint(v, c.fit_frames); return true;
    case kCoresetRatio: g_value_set_double(v, c.coreset_ratio); return true;
    case kMaxBankSize: g_value_set_uint(v, c.max_bank_size); return true;
    case kSeed: g_value_set_uint64(v, c.seed); return true;
    case kHistoryBytes: g_value_set_uint64(v, c.history_bytes); return true;
    case kThreshold: g_value_set_double(v, live.threshold); return true;
    case kRawThreshold: g_value_set_double(v, live.raw_threshold); return true;
    case kInferenceInterval: g_value_set_uint(v, live.inference_interval); return true;
    case kOverlay: g_value_set_enum(v, static_cast<gint>(live.overlay)); return true;
    case kOpacity: g_value_set_double(v, live.opacity); return true;
    case kAlarmFrames: g_value_set_uint(v, live.alarm_frames); return true;
    case kAlarmHysteresis: g_value_set_double(v, live.alarm_hysteresis); return true;
    case kPostMessages: g_value_set_boolean(v, live.post_messages); return true;
    case kAttachMap: g_value_set_boolean(v, live.attach_map); return true;
    case kRegionMeta: g_value_set_enum(v, static_cast<gint>(live.region_meta)); return true;
    case kCameraId: return put_text(live.camera_id);
    default: return false;
  }
}

}  // namespace gstpatchcore
