// SPDX-License-Identifier: LGPL-2.1-or-later
#include "properties.hpp"

#include "property.hpp"

namespace gstpatchcore {
namespace {

// An enum's values are indices into its nicks, which are libpatchcore's own names.
constexpr GEnumValue kModes[] = {{0, "Score frames with the bank at bank-location", "detect"},
                                 {1, "Build a bank of the frames that pass", "fit"},
                                 {2, "Detect where there is a bank, else build one first", "auto"},
                                 {0, nullptr, nullptr}};
constexpr GEnumValue kBackbones[] = {{0, "The library's own, needs no weights", "builtin"},
                                     {1, "ResNet-18", "resnet18"},
                                     {2, "ResNet-50", "resnet50"},
                                     {3, "Wide ResNet-50-2", "wide_resnet50_2"},
                                     {4, "MobileNetV2", "mobilenet_v2"},
                                     {5, "A TorchScript file", "torchscript"},
                                     {0, nullptr, nullptr}};
constexpr GEnumValue kPresets[] = {{0, "The paper's choices", "paper"},
                                   {1, "amazon-science/patchcore-inspection's", "official"},
                                   {2, "anomalib's", "anomalib"},
                                   {3, "The article's", "article"},
                                   {4, "What found most defects", "inspect"},
                                   {0, nullptr, nullptr}};
constexpr GEnumValue kPrecisions[] = {{0, "The fastest of the device", "auto"},
                                      {1, "32-bit floats", "fp32"},
                                      {2, "bfloat16", "bf16"},
                                      {3, "16-bit floats", "fp16"},
                                      {0, nullptr, nullptr}};
constexpr GEnumValue kOverlays[] = {
    {0, "Frames pass unchanged", "none"},
    {1, "The anomaly map in colours over anomalous frames", "heatmap"},
    {2, "The outlines of the regions above the threshold", "regions"},
    {3, "Both", "both"},
    {0, nullptr, nullptr}};
constexpr GEnumValue kColormaps[] = {{0, "Turbo (Mikhailov 2019)", "turbo"},
                                     {1, "Inferno, of matplotlib", "inferno"},
                                     {2, "Viridis, of matplotlib", "viridis"},
                                     {3, "Jet, blue to red", "jet"},
                                     {4, "Black to white", "grey"},
                                     {0, nullptr, nullptr}};

constexpr GEnumValue kRealtimes[] = {
    {0, "Yes where upstream is live", "auto"},
    {1, "A frame leaves after max-latency at most, inferred or not", "yes"},
    {2, "Every frame that is due is inferred", "no"},
    {0, nullptr, nullptr}};
constexpr GEnumValue kMaskKinds[] = {
    {0, "Bright pixels are what counts, all else is left out", "focus"},
    {1, "Bright pixels are what is left out", "ignore"},
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

std::vector<Property> bank_properties() {
  return {
      choice<&Config::mode>("mode", "Mode", "What to do with the frames", "GstPatchCoreMode",
                            kModes, kReady),
      text<&Config::bank_location>("bank-location", "Bank location",
                                   "The bank file to score with, or to write; while PLAYING "
                                   "another one takes over between two frames",
                                   kPlaying),
      text<&Config::bank_name>("bank-name", "Bank name",
                               "Of the bank in a file that holds several (NULL = the one without "
                               "a name); changes as bank-location does",
                               kPlaying),
      number<&Config::fit_frames>("fit-frames", "Fit frames",
                                  "Frames to learn from; an earlier EOS ends the fit too", 1,
                                  G_MAXINT, kReady),
      number<&Config::coreset_ratio>("coreset-ratio", "Coreset ratio",
                                     "Bank rows for each patch learned", 1e-6, 1.0, kReady),
      number<&Config::max_bank_size>("max-bank-size", "Max bank size",
                                     "Rows of the bank at most (0 = no limit)", 0, G_MAXINT,
                                     kReady),
      number<&Config::false_alarm_rate>("false-alarm-rate", "False alarm rate",
                                        "Share of normal frames that may be at or above the "
                                        "threshold that a fit finds",
                                        1e-6, 0.5, kReady),
      number<&Config::alarms_per_hour>("alarms-per-hour", "Alarms per hour",
                                       "Of a fit: alarms an hour that normal frames may raise, "
                                       "instead of a rate (0 = by the rate)",
                                       0, 3600, kReady),
      number<&Config::folds>("folds", "Folds",
                             "Parts that the frames of a fit are split into to find the threshold",
                             2, 1000, kReady),
      boolean<&Config::drop_outliers>("drop-outliers", "Drop outliers",
                                      "Leave out of a bank the frames that don't belong among the "
                                      "others; the message patchcore-outliers names them anyway",
                                      kReady),
      number<&Config::search_radius>("search-radius", "Search radius",
                                     "Of a fit, for a fixed camera: a patch is compared with what "
                                     "was seen so many patches around its place (0 = anywhere)",
                                     0, 255, kReady),
      structure<&Config::settings>("settings", "Settings",
                                   "Of a fit: other values than the preset's, by the names of "
                                   "docs/presets.md",
                                   kReady),
      number<&Config::seed>("seed", "Seed", "Of the fit's random choices", 0, G_MAXUINT64, kReady),
      number<&Config::history_bytes>("history-bytes", "History bytes",
                                     "Of patches above the threshold that are kept for add-normal "
                                     "at most (0 = none)",
                                     0, G_MAXUINT64, kReady),
  };
}

std::vector<Property> network_properties() {
  return {
      choice<&Config::backbone>("backbone", "Backbone",
                                "The network of a fit; a bank brings its own",
                                "GstPatchCoreBackbone", kBackbones, kReady),
      text<&Config::weights_location>(
          "weights-location", "Weights location",
          "The network's weights (safetensors, .pth or TorchScript); overrides where the bank says",
          kReady),
      texts<&Config::layers>("layers", "Layers",
                             "Of a fit: the backbone's layers, finest first (empty = its usual "
                             "ones)",
                             g_param_spec_string("layer", "Layer", "Its name", nullptr, kReady),
                             kReady),
      choice<&Config::preset>("preset", "Preset",
                              "Whose choices a fit follows; a bank brings its own",
                              "GstPatchCorePreset", kPresets, kReady),
      number<&Config::input_size>("input-size", "Input size",
                                  "Of a fit: the shorter side of the frame becomes this many "
                                  "pixels, 16 at least, the aspect is kept (0 = size and crop as "
                                  "the preset has them)",
                                  0, 8192, kReady),
      number<&Config::crop>("crop", "Crop",
                            "Of a fit: side of the centred square that is looked at, in pixels of "
                            "the input (0 = the whole frame)",
                            0, 8192, kReady),
      number<&Config::tile_size>("tile-size", "Tile size",
                                 "Of a fit: side of the squares that the network takes one by one, "
                                 "in pixels of the input (0 = all at once)",
                                 0, 8192, kReady),
      number<&Config::tile_overlap>("tile-overlap", "Tile overlap",
                                    "Of a fit: pixels that neighbouring tiles have in common at "
                                    "least",
                                    0, 8191, kReady),
      text<&Config::device>("device", "Device", "auto, cpu or cuda:N", kReady),
      choice<&Config::precision>("precision", "Precision", "Of the network's arithmetic",
                                 "GstPatchCorePrecision", kPrecisions, kReady),
  };
}

std::vector<Property> batching_properties() {
  return {
      choice<&Config::inference_region>("inference-region", "Inference region", "What is looked at",
                                        "GstPatchCoreInferenceRegion", kInferenceRegions, kReady),
      text<&Config::roi_type>("roi-type", "ROI type",
                              "Regions of interest of this type only (NULL = all but \"anomaly\")",
                              kReady),
      text<&Config::mask_location>(
          "mask-location", "Mask location",
          "PNG that says which parts of the frame count, of its aspect (NULL = "
          "NAME.focus.png or NAME.ignore.png beside the bank NAME.safetensors, if there)",
          kReady),
      choice<&Config::mask_kind>("mask-kind", "Mask kind", "What the pixels at mask-location are",
                                 "GstPatchCoreMaskKind", kMaskKinds, kReady),
      number<&Config::batch_size>("batch-size", "Batch size",
                                  "Frames at most in one pass of the network", 1, 1024, kReady),
      choice<&Config::realtime>("realtime", "Realtime", "Do frames keep to max-latency?",
                                "GstPatchCoreRealtime", kRealtimes, kReady),
      number<&Config::max_latency>("max-latency", "Max latency",
                                   "Nanoseconds after which a frame leaves in realtime, and the "
                                   "element's latency (0 = twice the time of a full batch)",
                                   0, kMostLatency, kReady),
      number<&Config::max_queued>("max-queued", "Max queued",
                                  "Frames held at most when not in realtime (0 = twice the batch "
                                  "size)",
                                  0, kMostQueued, kReady),
  };
}

std::vector<Property> verdict_properties() {
  return {
      number<&LiveConfig::threshold>(
          "threshold", "Threshold",
          "Normalized score from which on a frame is anomalous (0.5 = as calibrated)", 0.0, 1.0,
          kControlled),
      number<&LiveConfig::raw_threshold>(
          "raw-threshold", "Raw threshold",
          "The same of the raw score, instead of threshold (-1 = none)", -1.0, G_MAXDOUBLE,
          kControlled),
      number<&LiveConfig::inference_interval>(
          "inference-interval", "Inference interval",
          "Every Nth frame is inferred, the others carry the last result (0 = those that an event "
          "patchcore-trigger asks for)",
          0, G_MAXINT, kControlled),
      number<&LiveConfig::alarm_frames>(
          "alarm-frames", "Alarm frames",
          "Anomalous frames in a row that start an alarm, and normal ones that stop it", 1,
          G_MAXINT, kPlaying),
      number<&LiveConfig::alarm_hysteresis>(
          "alarm-hysteresis", "Alarm hysteresis",
          "How far below the threshold an alarm stops, of the normalized score (of a raw "
          "threshold: this share of it)",
          0.0, 1.0, kPlaying),
  };
}

std::vector<Property> output_properties() {
  return {
      choice<&LiveConfig::overlay>("overlay", "Overlay", "What is painted on anomalous frames",
                                   "GstPatchCoreOverlay", kOverlays, kControlled),
      number<&LiveConfig::opacity>("opacity", "Opacity", "Of the heatmap", 0.0, 1.0, kControlled),
      choice<&LiveConfig::colormap>("colormap", "Colormap",
                                    "Colours of the heatmap (grey frames have grey)",
                                    "GstPatchCoreColormap", kColormaps, kControlled),
      boolean<&LiveConfig::label>("label", "Label", "Write the score on each frame", kControlled),
      boolean<&LiveConfig::post_messages>("post-messages", "Post messages",
                                          "An element message for each frame", kPlaying),
      boolean<&LiveConfig::attach_map>("attach-map", "Attach map",
                                       "Put the anomaly map on scored frames", kPlaying),
      choice<&LiveConfig::region_meta>(
          "region-meta", "Region meta",
          "How regions above the threshold are put on anomalous frames", "GstPatchCoreRegionMeta",
          kRegionMetas, kPlaying),
      text<&LiveConfig::camera_id>("camera-id", "Camera id",
                                   "Named in metadata and messages (NULL = the stream-id)",
                                   kPlaying),
  };
}

/// A property's id is its place here, from 1 on; those that tell what goes on come behind.
const std::vector<Property>& properties() {
  static const auto& all = *[] {
    auto* list = new std::vector<Property>;
    for (const auto& part : {bank_properties(), network_properties(), batching_properties(),
                             verdict_properties(), output_properties()})
      list->insert(list->end(), part.begin(), part.end());
    return list;
  }();
  return all;
}

guint active_bank_id() { return static_cast<guint>(properties().size()) + 1; }
guint active_bank_name_id() { return active_bank_id() + 1; }
guint stats_id() { return active_bank_name_id() + 1; }

const Property* find(guint id) {
  return id >= 1 && id <= properties().size() ? &properties()[id - 1] : nullptr;
}

}  // namespace

void install_properties(GObjectClass* klass) {
  guint id = 0;
  for (const Property& property : properties())
    g_object_class_install_property(klass, ++id, property.spec);
  g_object_class_install_property(
      klass, active_bank_id(),
      g_param_spec_string("active-bank", "Active bank",
                          "The file of the bank that scores (NULL = none)", nullptr, kRead));
  g_object_class_install_property(
      klass, active_bank_name_id(),
      g_param_spec_string("active-bank-name", "Active bank name",
                          "The name of the bank that scores (NULL = none)", nullptr, kRead));
  g_object_class_install_property(
      klass, stats_id(),
      g_param_spec_boxed("stats", "Statistics", "Since the element went to PAUSED",
                         GST_TYPE_STRUCTURE, kRead));
}

bool get_state(const Stream* stream, guint id, GValue* value) {
  if (id == stats_id()) {
    g_value_take_boxed(
        value, (stream ? stream->statistics().structure() : Statistics().structure()).release());
    return true;
  }
  if (id != active_bank_id() && id != active_bank_name_id()) return false;
  const auto scorer = stream ? stream->session().scorer() : nullptr;
  const BankLocation location = scorer ? scorer->location : BankLocation();
  put(value, id == active_bank_id() ? location.file : location.name);
  return true;
}

bool set_property(Config& config, LiveConfig& live, guint id, const GValue* value) {
  const Property* property = find(id);
  if (property) property->set(config, live, value);
  return property != nullptr;
}

bool get_property(const Config& config, const LiveConfig& live, guint id, GValue* value) {
  const Property* property = find(id);
  if (property) property->get(config, live, value);
  return property != nullptr;
}

}  // namespace gstpatchcore
