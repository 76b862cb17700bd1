// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <map>
#include <string>
#include <vector>

#include "banklocation.hpp"
#include "regionmeta.hpp"

namespace gstpatchcore {

enum class Mode { Detect, Fit, Auto };
enum class Realtime { Auto, Yes, No };
enum class Overlay { None, Heatmap, Regions, Both };
enum class Colormap { Turbo, Inferno, Viridis, Jet, Grey };
enum class MaskKind { Focus, Ignore };
enum class InferenceRegion { Frame, Roi };

constexpr guint kMostQueued = 4096;
constexpr GstClockTime kMostLatency = 3600 * GST_SECOND;

/// Properties that hold from READY->PAUSED on; a copy is taken there.
struct Config {
  Mode mode = Mode::Detect;
  std::string bank_location;  ///< the one that may change later; see Session::set_bank_location
  std::string bank_name;      ///< changes with it; empty: the bank without a name
  std::string backbone = "builtin";
  std::string weights_location;
  std::vector<std::string> layers;  ///< finest first; empty: the backbone's usual ones
  std::string preset = "anomalib";
  guint input_size = 256;  ///< shorter side, aspect kept; 0: as the preset has it
  guint crop = 0;
  guint tile_size = 0;  ///< 0: the frame whole
  guint tile_overlap = 0;
  std::string device = "auto";
  std::string precision = "auto";
  InferenceRegion inference_region = InferenceRegion::Frame;
  std::string mask_location;  ///< empty: what lies beside the bank, if anything
  MaskKind mask_kind = MaskKind::Focus;
  std::string roi_type;  ///< empty: every one that isn't of our own making
  guint batch_size = 8;
  Realtime realtime = Realtime::Auto;
  GstClockTime max_latency = 0;  ///< 0: twice the time of a full batch
  guint max_queued = 0;          ///< 0: twice the batch size
  guint fit_frames = 200;
  gdouble coreset_ratio = 0.1;
  guint max_bank_size = 20000;
  guint64 seed = 0;
  guint search_radius = 0;                      ///< patches; 0: the whole picture
  std::map<std::string, std::string> settings;  ///< by their names; empty: the preset's
  gdouble false_alarm_rate = 0.01;
  gdouble alarms_per_hour = 0;  ///< 0: by the rate
  guint folds = 3;
  bool drop_outliers = false;
  guint64 history_bytes = 64 << 20;

  BankLocation bank() const { return {bank_location, bank_name}; }
  guint queue_length() const { return max_queued ? max_queued : 2 * batch_size; }
};

/// Properties that may change while PLAYING; read under the object lock for each frame.
struct LiveConfig {
  gdouble threshold = 0.5;       ///< of the normalized score
  gdouble raw_threshold = -1;    ///< of the raw score, for a bank without calibration; < 0: none
  guint inference_interval = 1;  ///< every Nth frame is due; 0: those that a trigger asks for
  Overlay overlay = Overlay::Heatmap;
  gdouble opacity = 0.5;
  Colormap colormap = Colormap::Turbo;
  bool label = false;
  guint alarm_frames = 3;
  gdouble alarm_hysteresis = 0.05;
  bool post_messages = true;
  bool attach_map = false;
  RegionMeta region_meta = RegionMeta::Auto;
  std::string camera_id;  ///< empty: the stream-id
};

}  // namespace gstpatchcore
