// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "job.hpp"

namespace gstpatchcore {

/// Decides what is inferred next: jobs of all streams gather here while the engine works. Batching
/// is continuous, so a lone stream has the latency of one frame and a loaded machine full batches,
/// and nobody waits for a timer.
///
/// Streams take turns: each one's oldest job comes before anyone's second, and who was served
/// longest ago is first, so that neither a fast stream nor one of another shape starves the others.
/// An inspection whose outcome would come too late for its frame is skipped, all its jobs at once,
/// save one that has begun and the newest of a stream that has no other: its result comes late, for
/// the frames after it.
///
/// Not locked: the engine's lock guards it.
class Batcher {
 public:
  struct Entry {
    std::shared_ptr<Job> job;
    std::shared_ptr<Listener> listener;
  };

  /// All jobs of an inspection come without another's between them.
  void add(Entry entry) { waiting_.push_back(std::move(entry)); }
  bool empty() const { return waiting_.empty(); }

  /// Forgets a listener's jobs and returns them, to be let go without the lock.
  std::vector<Entry> withdraw(const Listener& listener);

  /// The next batch, of one shape and at most the smallest batch_size among its jobs. Jobs that
  /// nobody will wait for go to `skipped`. Empty: all of them did.
  std::vector<Entry> take(std::vector<Entry>* skipped);

  /// A batch of `jobs` jobs like this one took so long.
  void took(const Job& like, size_t jobs, GstClockTime time);

 private:
  struct Candidate {
    size_t index;                ///< in waiting_
    size_t turn;                 ///< how many of its stream are before it
    guint64 served;              ///< the batch that its stream was last in
    GstClockTimeDiff time_left;  ///< until its outcome is too late; G_MAXINT64 for one that is
  };
  using Shape = std::tuple<guint, guint, bool>;
  /// What waits of one inspection.
  struct Waiting {
    std::vector<size_t> jobs;     ///< indices in waiting_
    GstClockTimeDiff needed = 0;  ///< expected for all of them
  };

  /// What one batch has in common.
  static Shape shape(const Job& job) { return {job.width, job.height, job.cuda_values != nullptr}; }
  /// 0 where nothing is known.
  GstClockTimeDiff expected(const Job& like, size_t jobs) const;
  std::map<const Listener*, std::vector<Waiting>> streams() const;
  std::vector<Candidate> candidates();
  std::vector<Candidate> choose(const std::vector<Candidate>& in_turn) const;

  std::deque<Entry> waiting_;                  ///< as they came
  std::map<const Listener*, guint64> served_;  ///< of those with a job waiting: their last batch
  guint64 batches_ = 0;
  std::map<Shape, gdouble> nanoseconds_a_job_;  ///< moving average
};

}  // namespace gstpatchcore
