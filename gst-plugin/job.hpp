// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "banklocation.hpp"
#include "handles.hpp"
#include "timing.hpp"

namespace gstpatchcore {

/// Where the network's input lies in the frame, in fractions of it.
struct Region {
  gdouble x = 0, y = 0, w = 1, h = 1;

  gdouble to_frame_x(gdouble input_x) const { return x + w * input_x; }
  gdouble to_frame_y(gdouble input_y) const { return y + h * input_y; }
};

/// A bank that is ready to score, and what is said of it.
struct Scorer {
  Bank bank;
  Detector detector;
  Mask mask;  ///< of the frames; none: all of them counts
  PatchcoreBankInfo info{};
  BankLocation location;  ///< where it was read or saved
  guint64 lineage = 0;    ///< the same for what it has been taught since
};

struct Inspection;

/// A frame's place in a fit, which is handed back when this goes.
struct Ticket {
  explicit Ticket(guint64 of) : round(of) {}
  virtual ~Ticket() = default;

  const guint64 round;               ///< of learning; reset() begins another
  std::atomic<bool> learned{false};  ///< the fit has its patches
  bool told = false;                 ///< the session's, under its lock: it is counted as learned
};

/// One prepared picture on its way through the engine. The sink pad's thread makes it, the engine's
/// thread fills in the outcome, the src pad's task reads that once the listener was told.
struct Job {
  ~Job() {
    if (result.map || result.patches) library().patchcore_result_clear(&result);
  }
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Inspection* inspection = nullptr;  ///< that it is part of, and that keeps it alive
  std::vector<guint8> rgb;           ///< one of the three
  std::vector<gfloat> rgb_floats;
  std::shared_ptr<void> cuda_values;  ///< see PatchcoreRequest
  guint width = 0, height = 0;        ///< of these
  Region region;
  Detector detector;  ///< one of the two
  Fit fit;
  Mask mask;
  bool keep_patches = false;  ///< those at or above keep_above are wanted, see patchcore_infer()
  gdouble keep_above = 0;
  guint batch_size = 1;                         ///< the most that its element wants in one batch
  GstClockTime deadline = GST_CLOCK_TIME_NONE;  ///< when its frame leaves, done or not
  GstClockTime running_time = GST_CLOCK_TIME_NONE;

  PatchcoreResult result{};
  ErrorPtr error;
  bool skipped = false;             ///< there was no time for it
  GstClockTime inference_time = 0;  ///< of the batch that it was in
  guint batched = 0;                ///< how many were in that
  guint64 batch = 0;                ///< that batch's number in the engine
};

/// A region of interest that an element before this one has found.
struct RegionOfInterest {
  Region region;  ///< of the frame
  std::string type;
  gint id = -1;
};

/// What is inferred of one frame: the whole of it, or each region of interest.
struct Inspection : std::enable_shared_from_this<Inspection> {
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<RegionOfInterest> rois;    ///< one for each job, or none
  std::shared_ptr<const Scorer> scorer;  ///< nullptr: a fit
  std::shared_ptr<Ticket> ticket;        ///< of a fit, else nullptr
  Moment moment;                         ///< when the frame was; the src side's, once it leaves

  // The engine's, under its lock:
  bool begun = false;  ///< one of the jobs was taken

  // The queue's, under its lock:
  size_t open = 0;     ///< jobs that aren't done
  guint64 number = 0;  ///< counts a queue's inspections
  guint epoch = 0;     ///< of the queue, when the frame came in
  bool left = false;

  bool skipped() const {
    for (const auto& job : jobs)
      if (job->skipped) return true;
    return false;
  }
  /// The first; nullptr: none.
  const GError* error() const {
    for (const auto& job : jobs)
      if (job->error) return job->error.get();
    return nullptr;
  }
};

/// Told of jobs. Lives as long as any job that it may be told of.
class Listener {
 public:
  virtual ~Listener() = default;

  /// How long the outcome of a job is still wanted, in nanoseconds; not positive: no longer;
  /// G_MAXINT64: always. Called with the engine's lock held, so it must not call the engine.
  virtual GstClockTimeDiff time_left(const Job& job) const = 0;

  /// From the engine's thread, which must not be held up: store and signal, nothing else.
  virtual void job_done(Job& job) = 0;
};

}  // namespace gstpatchcore
