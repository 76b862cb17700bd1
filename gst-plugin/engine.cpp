// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine.hpp"

#include <algorithm>
#include <map>

namespace gstpatchcore {
namespace {

bool same_shape(const Job& a, const Job& b) { return a.width == b.width && a.height == b.height; }

/// Computes some jobs of one shape in one call. False: *error is set.
bool infer(const Backbone& backbone, Job* const* jobs, size_t count, GError** error) {
  std::vector<PatchcoreRequest> requests(count);
  for (size_t i = 0; i < count; ++i)
    requests[i] = {jobs[i]->rgb.data(), jobs[i]->detector.get(), jobs[i]->fit.get(), {}};
  const bool ok = library().patchcore_infer(backbone.get(), jobs[0]->width, jobs[0]->height,
                                            requests.data(), static_cast<guint>(count), error);
  for (size_t i = 0; i < count; ++i) jobs[i]->result = requests[i].result;
  return ok;
}

}  // namespace

std::shared_ptr<Engine> Engine::get(const Backbone& backbone) {
  static std::mutex mutex;
  static std::map<gconstpointer, std::weak_ptr<Engine>> engines;
  std::lock_guard lock(mutex);
  std::erase_if(engines, [](const auto& entry) { return entry.second.expired(); });
  auto& slot = engines[library().patchcore_backbone_get_id(backbone.get())];
  auto engine = slot.lock();
  if (!engine) slot = engine = std::make_shared<Engine>(backbone);
  return engine;
}

Engine::Engine(Backbone backbone) : backbone_(std::move(backbone)), thread_([this] { run(); }) {}

Engine::~Engine() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Engine::submit(std::shared_ptr<Job> job, std::shared_ptr<Listener> listener) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(job), std::move(listener)});
  }
  work_.notify_one();
}

void Engine::withdraw(const Listener& listener) {
  std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&](const Entry& entry) { return entry.listener.get() == &listener; });
}

void Engine::run() {
  for (;;) {
    std::vector<Entry> batch;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      batch = take_batch();
    }
    compute(batch);
    for (Entry& entry : batch) entry.listener->job_done(*entry.job);
  }
}

/// The oldest job and those behind it of its shape. Called with the lock held.
std::vector<Engine::Entry> Engine::take_batch() {
  const Job& oldest = *waiting_.front().job;
  guint limit = oldest.batch_size;
  std::vector<Entry> batch;
  std::deque<Entry> rest;
  for (Entry& entry : waiting_) {
    limit = std::min(limit, entry.job->batch_size);
    if (batch.size() < limit && same_shape(*entry.job, oldest))
      batch.push_back(std::move(entry));
    else
      rest.push_back(std::move(entry));
  }
  waiting_ = std::move(rest);
  return batch;
}

void Engine::compute(std::vector<Entry>& batch) {
  std::vector<Job*> jobs;
  for (Entry& entry : batch) jobs.push_back(entry.job.get());
  const gint64 start = g_get_monotonic_time();
  ErrorPtr error;
  if (!infer(backbone_, jobs.data(), jobs.size(), error.out())) {
    // One element's bad bank must not fail its neighbours: each job on its own tells whose it is.
    for (Job* job : jobs) {
      if (job->result.map) library().patchcore_result_clear(&job->result);
      if (jobs.size() == 1)
        job->error = std::move(error);
      else
        infer(backbone_, &job, 1, job->error.out());
    }
  }
  const GstClockTime taken =
      static_cast<GstClockTime>(g_get_monotonic_time() - start) * GST_USECOND;
  for (Job* job : jobs) job->inference_time = taken;
}

}  // namespace gstpatchcore
