// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

namespace gstpatchcore {

enum class Mode { Detect, Fit, Auto };
enum class Overlay { None, Heatmap };

/// Properties that hold from READY->PAUSED on; a copy is taken there.
struct Config {
  Mode mode = Mode::Detect;
  std::string bank_location;
  std::string backbone = "builtin";
  std::string weights_location;
  std::string preset = "anomalib";
  guint input_size = 256;  ///< shorter side, aspect kept; 0: as the preset has it
  guint crop = 0;
  std::string device = "auto";
  std::string precision = "auto";
  guint batch_size = 8;
  guint max_queued = 0;  ///< 0: twice the batch size
  guint fit_frames = 200;
  gdouble coreset_ratio = 0.1;
  guint max_bank_size = 20000;
  guint64 seed = 0;

  guint queue_length() const { return max_queued ? max_queued : 2 * batch_size; }
};

/// Properties that may change while PLAYING; read under the object lock for each frame.
struct LiveConfig {
  gdouble threshold = 0.5;     ///< of the normalized score
  gdouble raw_threshold = -1;  ///< of the raw score, for a bank without calibration; < 0: none
  Overlay overlay = Overlay::Heatmap;
  gdouble opacity = 0.5;
  bool post_messages = true;
  std::string camera_id;  ///< empty: the stream-id
};

}  // namespace gstpatchcore
