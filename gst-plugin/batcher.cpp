// SPDX-License-Identifier: LGPL-2.1-or-later
#include "batcher.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace gstpatchcore {
namespace {

constexpr GstClockTimeDiff kForEver = std::numeric_limits<GstClockTimeDiff>::max();
constexpr gdouble kNewest = 0.25;  ///< weight of the newest measurement

}  // namespace

std::vector<Batcher::Entry> Batcher::withdraw(const Listener& listener) {
  std::vector<Entry> withdrawn;
  for (Entry& entry : waiting_)
    if (entry.listener.get() == &listener) withdrawn.push_back(std::move(entry));
  std::erase_if(waiting_, [](const Entry& entry) { return !entry.job; });
  return withdrawn;
}

GstClockTimeDiff Batcher::expected(const Job& like, size_t jobs) const {
  const auto known = nanoseconds_a_job_.find(shape(like));
  if (known == nanoseconds_a_job_.end()) return 0;
  return static_cast<GstClockTimeDiff>(known->second * static_cast<gdouble>(jobs));
}

void Batcher::took(const Job& like, size_t jobs, GstClockTime time) {
  const gdouble each = static_cast<gdouble>(time) / static_cast<gdouble>(jobs);
  const auto [entry, first] = nanoseconds_a_job_.try_emplace(shape(like), each);
  if (!first) entry->second += kNewest * (each - entry->second);
}

/// The inspections that wait of each stream, oldest first.
std::map<const Listener*, std::vector<Batcher::Waiting>> Batcher::streams() const {
  std::map<const Listener*, std::vector<Waiting>> all;
  std::map<const Listener*, const Inspection*> newest;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const Job& job = *waiting_[i].job;
    const Listener* listener = waiting_[i].listener.get();
    auto& inspections = all[listener];
    if (inspections.empty() || !job.inspection || job.inspection != newest[listener])
      inspections.emplace_back();
    newest[listener] = job.inspection;
    inspections.back().jobs.push_back(i);
    inspections.back().needed += expected(job, 1);
  }
  return all;
}

/// Those that are worth it, streams in turn.
std::vector<Batcher::Candidate> Batcher::candidates() {
  std::vector<Candidate> all;
  const auto streams = this->streams();
  for (const auto& [listener, inspections] : streams) {
    const auto served = served_.find(listener);
    const guint64 last = served == served_.end() ? 0 : served->second;
    size_t turn = 0;
    bool any_in_time = false;
    for (const Waiting& waiting : inspections) {
      const Job& job = *waiting_[waiting.jobs.front()].job;
      const GstClockTimeDiff left = listener->time_left(job);
      const bool in_time = left > waiting.needed;
      any_in_time = any_in_time || in_time;
      const bool begun = job.inspection && job.inspection->begun;
      const bool newest = &waiting == &inspections.back();
      if (!in_time && !begun && (!newest || any_in_time)) continue;
      for (const size_t index : waiting.jobs)
        all.push_back({index, turn++, last, in_time ? left : kForEver});
    }
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.turn, a.served, a.index) < std::tie(b.turn, b.served, b.index);
  });
  // Who has nothing waiting has had what it wanted, and begins anew.
  std::erase_if(served_, [&](const auto& entry) { return !streams.count(entry.first); });
  return all;
}

/// As many of the first one's shape as all of them can wait for.
std::vector<Batcher::Candidate> Batcher::choose(const std::vector<Candidate>& in_turn) const {
  const auto job = [&](const Candidate& c) -> const Job& { return *waiting_[c.index].job; };
  const Job& first = job(in_turn.front());
  std::vector<Candidate> batch;
  guint limit = first.batch_size;
  GstClockTimeDiff patience = kForEver;
  for (const Candidate& candidate : in_turn) {
    const Job& next = job(candidate);
    if (shape(next) != shape(first)) continue;
    const guint new_limit = std::min(limit, next.batch_size);
    const GstClockTimeDiff new_patience = std::min(patience, candidate.time_left);
    if (batch.size() >= new_limit) continue;
    if (!batch.empty() && expected(first, batch.size() + 1) >= new_patience) break;
    limit = new_limit;
    patience = new_patience;
    batch.push_back(candidate);
  }
  return batch;
}

std::vector<Batcher::Entry> Batcher::take(std::vector<Entry>* skipped) {
  if (waiting_.empty()) return {};
  const std::vector<Candidate> in_turn = candidates();
  std::vector<Entry> batch;
  ++batches_;
  for (const Candidate& chosen : choose(in_turn)) {
    batch.push_back(std::move(waiting_[chosen.index]));
    if (Inspection* inspection = batch.back().job->inspection) inspection->begun = true;
    served_[batch.back().listener.get()] = batches_;
  }
  // What is neither chosen nor a candidate is too late.
  std::vector<bool> in_time(waiting_.size());
  for (const Candidate& candidate : in_turn) in_time[candidate.index] = true;
  std::deque<Entry> rest;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (!waiting_[i].job) continue;
    if (in_time[i])
      rest.push_back(std::move(waiting_[i]));
    else
      skipped->push_back(std::move(waiting_[i]));
  }
  waiting_ = std::move(rest);
  return batch;
}

}  // namespace gstpatchcore
