// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inference.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "augmentation.hpp"
#include "cuda/features.hpp"
#include "cuda/module.hpp"
#include "error.hpp"
#include "masking.hpp"
#include "parallel.hpp"
#include "tiling.hpp"

namespace patchcore {
namespace {

const Settings& settings_of(const Request& request) {
  return request.detector ? request.detector->settings() : request.fit->settings();
}

/// A request, and where its frame stands in its fit.
struct Job {
  Request& request;
  int64_t frame;

  int64_t views() const { return request.fit ? request.fit->views() : 1; }
};

std::vector<Job> number(std::span<Request> requests) {
  std::map<const Fit*, int64_t> next;
  std::vector<Job> jobs;
  for (Request& r : requests) {
    if (r.fit) next.try_emplace(r.fit, r.fit->frames());
    jobs.push_back({r, r.fit ? next[r.fit]++ : 0});
  }
  return jobs;
}

/// A frame, and behind it the copies that its fit learns too.
template <typename Value>
void gather(Size input, const Job& job, size_t values, Value* out) {
  const Request& r = job.request;
  auto* const frame = out;
  if constexpr (std::is_same_v<Value, float>)
    r.rgb ? std::copy_n(r.rgb, values, out) : std::copy_n(r.rgb_floats, values, out);
  else
    std::copy_n(r.rgb, values, out);
  if (!r.fit) return;
  for (const Augmentation kind : r.fit->settings().augmentation)
    augment(kind, frame, input, r.fit->seed(), job.frame, out += values);
}

/// By many threads: one would take as long for a large batch as a GPU for all the rest.
template <typename Value>
void gather(Size input, std::span<const Job> jobs, at::Tensor& rgb) {
  const size_t values = rgb.numel() / static_cast<size_t>(rgb.size(0));
  std::vector<Value*> places;
  auto* out = rgb.data_ptr<Value>();
  for (const Job& job : jobs) {
    places.push_back(out);
    out += values * static_cast<size_t>(job.views());
  }
  const auto one = [&](size_t i) { gather(input, jobs[i], values, places[i]); };
  if (occupies_threads(jobs.size())) return for_each(jobs.size(), one);
  for (size_t i = 0; i < jobs.size(); ++i) one(i);
}

/// pinned: in memory that a GPU copies from by itself.
at::Tensor gather(Size input, std::span<const Job> jobs, bool pinned) {
  int64_t images = 0;
  for (const Job& job : jobs) images += job.views();
  const bool floats =
      std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.request.rgb_floats; });
  at::Tensor rgb =
      at::empty({images, input.height, input.width, 3},
                at::TensorOptions(floats ? at::kFloat : at::kByte).pinned_memory(pinned));
  floats ? gather<float>(input, jobs, rgb) : gather<uint8_t>(input, jobs, rgb);
  return rgb;
}

/// Some images' feature maps out of a batch's, sharing memory.
std::vector<at::Tensor> slice(const std::vector<at::Tensor>& features, int64_t first,
                              int64_t count) {
  std::vector<at::Tensor> parts;
  for (const auto& map : features) parts.push_back(map.slice(0, first, first + count));
  return parts;
}

bool are_on_gpu(std::span<const Job> jobs) { return jobs.front().request.cuda_values; }

/// Throws Error(InvalidArgument).
void check_values(const Backbone& backbone, std::span<const Job> jobs) {
  const auto on_gpu = std::count_if(
      jobs.begin(), jobs.end(), [](const Job& job) { return job.request.cuda_values != nullptr; });
  if (on_gpu == 0) return;
  const bool taken =
      on_gpu == std::ssize(jobs) && backbone.device().is_cuda() && cuda::kernels() &&
      std::all_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.views() == 1; });
  if (!taken)
    throw Error(ErrorCode::InvalidArgument,
                "These requests can't have their values in a GPU's memory.");
}

/// Nobody's values are read any more when this goes, whatever has become of the batch.
class CopiesDone {
 public:
  CopiesDone(c10::Device device, bool any) : device_(device), any_(any) {}
  CopiesDone(const CopiesDone&) = delete;
  CopiesDone& operator=(const CopiesDone&) = delete;
  ~CopiesDone() {
    if (!any_) return;
    try {
      cuda::synchronize(device_);
    } catch (const std::exception&) {
      // A GPU that is lost reads nothing either, and the batch has failed already.
    }
  }

 private:
  const c10::Device device_;
  const bool any_;
};

/// Inputs that are on a GPU already, together.
at::Tensor stacked(c10::Device device, Size input, std::span<const Job> jobs) {
  const c10::DeviceGuard guard(device);
  const at::Tensor all = at::empty({std::ssize(jobs), input.height, input.width, 3},
                                   at::TensorOptions(at::kFloat).device(device));
  auto* out = all.data_ptr<float>();
  const int64_t values = all.numel() / all.size(0);
  for (const Job& job : jobs) {
    cuda::check(cuda::kernels()->copy(out, job.request.cuda_values,
                                      values * static_cast<int64_t>(sizeof(float)),
                                      cuda::current_stream(device)));
    out += values;
  }
  return all.permute({0, 3, 1, 2});
}

/// What the network sees, on its device.
at::Tensor input_of(const Backbone& backbone, Size input, std::span<const Job> jobs) {
  if (are_on_gpu(jobs)) return stacked(backbone.device(), input, jobs);
  const bool cuda = backbone.device().is_cuda();
  const at::Tensor rgb =
      gather(input, jobs, cuda).to(backbone.device(), /*non_blocking=*/cuda, /*copy=*/false);
  const auto* kernels = cuda ? cuda::kernels() : nullptr;
  return kernels ? cuda::normalise(rgb, at::kFloat, *kernels) : Preprocess::normalise(rgb);
}

// A 4K frame's tiles all at once would take gigabytes.
constexpr int64_t kTilesAtOnce = 16;

/// images: N x 3 x H x W.
Embedding embed(const Backbone& backbone, const Settings& settings, const at::Tensor& images) {
  const Size input{static_cast<int>(images.size(3)), static_cast<int>(images.size(2))};
  const Tiling tiling(settings, input, backbone.stride());
  const PatchEmbedding patches(settings);
  Embedding whole;
  std::vector<at::Tensor> rows;
  for (const at::Tensor& some : tiling.cut(images).split(kTilesAtOnce)) {
    whole = patches(backbone.features(some));
    rows.push_back(whole.rows);
  }
  if (rows.size() > 1) whole.rows = at::cat(rows);
  whole.images = images.size(0);
  whole.tiles.clear();
  for (const Place& place : tiling.places())
    whole.tiles.push_back({place.y * whole.height / tiling.tile().height,
                           place.x * whole.width / tiling.tile().width});
  return whole;
}

/// How many from the first on one detector can score together.
size_t together(std::span<const Job> jobs) {
  const Request& first = jobs.front().request;
  if (!first.detector) return 1;
  const auto other = std::find_if(jobs.begin() + 1, jobs.end(), [&](const Job& job) {
    return job.request.detector != first.detector || job.request.keep_above != first.keep_above;
  });
  return static_cast<size_t>(other - jobs.begin());
}

/// Says which patches count, where one of the jobs has a mask.
void apply_masks(std::span<const Job> jobs, Size input, Embedding& embedding) {
  if (std::none_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.request.mask; }))
    return;
  const int64_t height = embedding.grid_height(), width = embedding.grid_width();
  std::vector<at::Tensor> grids;
  for (const Job& job : jobs) {
    const Request& r = job.request;
    if (!r.mask) {
      grids.push_back(at::ones({job.views(), height, width}, at::kBool));
      continue;
    }
    Copies copies;
    if (r.fit) copies = {r.fit->settings().augmentation, r.fit->seed(), job.frame};
    grids.push_back(patches_that_count(*r.mask, r.region, input, height, width, copies));
  }
  embedding.counted = at::cat(grids);
}

/// Scores those that have a detector, and returns the patches of each that has a fit.
std::vector<Embedding> embed_and_score(const Backbone& backbone, Size input,
                                       std::span<const Job> jobs) {
  const at::Tensor seen = input_of(backbone, input, jobs);
  // Whole images of all requests are one pass, whatever is made of them; tiles are their own.
  const bool tiled = std::any_of(jobs.begin(), jobs.end(), [](const Job& job) {
    return settings_of(job.request).tile_size > 0;
  });
  const auto features = tiled ? std::vector<at::Tensor>() : backbone.features(seen);
  std::vector<Embedding> embeddings(jobs.size());
  int64_t image = 0;
  for (size_t first = 0; first < jobs.size();) {
    const Request& r = jobs[first].request;
    const size_t count = together(jobs.subspan(first));
    const int64_t images = r.fit ? jobs[first].views() : static_cast<int64_t>(count);
    const Settings& settings = settings_of(r);
    Embedding embedding = tiled ? embed(backbone, settings, seen.slice(0, image, image + images))
                                : PatchEmbedding(settings)(slice(features, image, images));
    apply_masks(jobs.subspan(first, count), input, embedding);
    if (r.detector) {
      std::vector<Result> results = r.detector->score(embedding, input, r.keep_above);
      for (size_t i = 0; i < count; ++i) jobs[first + i].request.result = std::move(results[i]);
    } else {
      embeddings[first] = std::move(embedding);
    }
    image += images;
    first += count;
  }
  return embeddings;
}

}  // namespace

void infer(const Backbone& backbone, Size input, std::span<Request> requests) {
  if (requests.empty()) return;
  const c10::InferenceMode no_gradients;
  const std::vector<Job> jobs = number(requests);
  check_values(backbone, jobs);
  const CopiesDone copies_done(backbone.device(), are_on_gpu(jobs));
  std::vector<Embedding> embeddings(requests.size());
  if (backbone.device().is_cpu() && occupies_threads(requests.size())) {
    for_each(requests.size(), [&](size_t i) {
      embeddings[i] =
          std::move(embed_and_score(backbone, input, std::span(jobs).subspan(i, 1)).front());
    });
  } else {
    embeddings = embed_and_score(backbone, input, jobs);
  }
  // Last, so that a failed batch has added nothing and can be tried again.
  for (size_t i = 0; i < requests.size(); ++i)
    if (requests[i].fit) requests[i].fit->check(embeddings[i]);
  for (size_t i = 0; i < requests.size(); ++i)
    if (requests[i].fit) requests[i].fit->add(embeddings[i], input);
}

}  // namespace patchcore
