// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine.hpp"

#include <map>

namespace gstpatchcore {
namespace {

/// Computes some jobs of one shape in one call. False: *error is set.
bool infer(const Backbone& backbone, Job* const* jobs, size_t count, GError** error) {
  std::vector<PatchcoreRequest> requests(count);
  for (size_t i = 0; i < count; ++i) {
    // Of an empty vector data() may be anything.
    if (!jobs[i]->rgb.empty()) requests[i].rgb = jobs[i]->rgb.data();
    if (!jobs[i]->rgb_floats.empty()) requests[i].rgb_floats = jobs[i]->rgb_floats.data();
    requests[i].cuda_values = static_cast<const gfloat*>(jobs[i]->cuda_values.get());
    requests[i].detector = jobs[i]->detector.get();
    requests[i].fit = jobs[i]->fit.get();
    requests[i].keep_patches = jobs[i]->keep_patches;
    requests[i].keep_above = jobs[i]->keep_above;
    requests[i].mask = jobs[i]->mask.get();
    requests[i].x = jobs[i]->region.x;
    requests[i].y = jobs[i]->region.y;
    requests[i].w = jobs[i]->region.w;
    requests[i].h = jobs[i]->region.h;
  }
  const bool ok = library().patchcore_infer(backbone.get(), jobs[0]->width, jobs[0]->height,
                                            requests.data(), static_cast<guint>(count), error);
  for (size_t i = 0; i < count; ++i) jobs[i]->result = requests[i].result;
  return ok;
}

/// One element's bad bank must not fail its neighbours: each job on its own tells whose it is.
void infer_one_by_one(const Backbone& backbone, const std::vector<Job*>& jobs) {
  for (Job* job : jobs) {
    library().patchcore_result_clear(&job->result);
    infer(backbone, &job, 1, job->error.out());
  }
}

}  // namespace

std::shared_ptr<Engine> Engine::get(const Backbone& backbone) {
  static std::mutex mutex;
  static auto& engines = *new std::map<gconstpointer, std::weak_ptr<Engine>>;
  std::lock_guard lock(mutex);
  std::erase_if(engines, [](const auto& entry) { return entry.second.expired(); });
  auto& slot = engines[library().patchcore_backbone_get_id(backbone.get())];
  auto engine = slot.lock();
  if (!engine) slot = engine = std::make_shared<Engine>(backbone);
  return engine;
}

Engine::Engine(Backbone backbone) : state_(std::make_shared<State>()) {
  state_->backbone = std::move(backbone);
  thread_ = Thread([state = state_] { run(*state); });
}

Engine::~Engine() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_one();
  thread_.retire();
}

void Engine::submit(std::vector<Batcher::Entry> jobs) {
  {
    std::lock_guard lock(state_->mutex);
    for (auto& entry : jobs) state_->batcher.add(std::move(entry));
  }
  state_->work.notify_one();
}

void Engine::withdraw(const Listener& listener) {
  Batch withdrawn;  // let go without the lock
  std::lock_guard lock(state_->mutex);
  withdrawn = state_->batcher.withdraw(listener);
}

void Engine::run(State& state) {
  for (;;) {
    Batch batch, skipped;
    {
      std::unique_lock lock(state.mutex);
      state.work.wait(lock, [&] { return state.stopping || !state.batcher.empty(); });
      if (state.stopping) return;
      batch = state.batcher.take(&skipped);
    }
    for (auto& [job, listener] : skipped) {
      job->skipped = true;
      listener->job_done(*job);
    }
    if (!batch.empty()) compute(state, batch);
    for (auto& [job, listener] : batch) listener->job_done(*job);
  }
}

void Engine::compute(State& state, const Batch& batch) {
  std::vector<Job*> jobs;
  for (const auto& entry : batch) jobs.push_back(entry.job.get());
  const gint64 start = g_get_monotonic_time();
  if (!infer(state.backbone, jobs.data(), jobs.size(), jobs[0]->error.out())) {
    if (jobs.size() > 1) infer_one_by_one(state.backbone, jobs);
  }
  const GstClockTime taken =
      static_cast<GstClockTime>(g_get_monotonic_time() - start) * GST_USECOND;
  ++state.batches;
  for (Job* job : jobs) {
    job->cuda_values.reset();  // a GPU's memory is dear, and results are kept
    job->inference_time = taken;
    job->batched = static_cast<guint>(jobs.size());
    job->batch = state.batches;
  }
  std::lock_guard lock(state.mutex);
  state.batcher.took(*jobs[0], jobs.size(), taken);
}

}  // namespace gstpatchcore
