// SPDX-License-Identifier: LGPL-2.1-or-later
// From frames to verdicts on a GPU, against the CPU.

#include <thread>

#include "../unit/station.hpp"
#include "cuda/frames.hpp"
#include "subject.hpp"

using namespace station;

namespace {

// LibTorch lets cuDNN round factors of fp32 convolutions to ten bits.
constexpr double kConvolutions = 2e-2;

std::shared_ptr<const Backbone> on_gpu() {
  BackboneOptions options;
  options.device = "cuda";
  return Backbone::get(options);
}

MemoryBank built_on(const std::shared_ptr<const Backbone>& backbone, const Settings& settings,
                    const FitOptions& options) {
  Fit fit(backbone, settings, options);
  for (int i = 0; i < kFrames; ++i) {
    const Picture picture = normal(i);
    Request request{picture.data(), nullptr, &fit, {}};
    infer(*backbone, kInput, {&request, 1});
  }
  return fit.build();
}

std::vector<Result> scored_by(const std::shared_ptr<const Backbone>& backbone,
                              const MemoryBank& bank, const std::vector<Picture>& pictures) {
  const Detector detector(backbone, std::make_shared<MemoryBank>(bank));
  std::vector<Request> requests;
  for (const Picture& picture : pictures)
    requests.push_back({picture.data(), &detector, nullptr, {}});
  infer(*backbone, kInput, requests);
  std::vector<Result> results;
  for (Request& request : requests) results.push_back(std::move(request.result));
  return results;
}

std::vector<Picture> pictures() {
  std::vector<Picture> all;
  for (int i = 30; i < 37; ++i) all.push_back(i % 2 ? defective(i) : normal(i));
  return all;
}

}  // namespace

START_TEST(a_gpu_scores_as_the_cpu_does_in_every_preset) {
  for (const Preset preset :
       {Preset::Paper, Preset::Official, Preset::Anomalib, Preset::Article, Preset::Inspect}) {
    Settings s = Settings::from_preset(preset);
    s.resize = {kInput.width, kInput.height};
    s.crop = 0;
    const MemoryBank bank = built_on(builtin(), s, {.folds = 0});
    const auto ours = scored_by(on_gpu(), bank, pictures());
    const auto expected = scored_by(builtin(), bank, pictures());
    for (size_t i = 0; i < ours.size(); ++i) {
      ck_assert(ours[i].map.is_cpu());
      ck_assert_double_le(relative_error(ours[i].map, expected[i].map), kConvolutions);
      ck_assert_double_eq_tol(ours[i].score, expected[i].score,
                              kConvolutions * (expected[i].score + 1));
      ck_assert_double_eq(ours[i].map_peak, ours[i].map.max().item<double>());
    }
  }
}
END_TEST

START_TEST(a_gpu_sees_what_is_in_reach_as_the_cpu_does) {
  Settings s = settings();
  s.search_radius = 1;
  const MemoryBank bank = built_on(builtin(), s, {.folds = 0});
  const auto cpu = scored_by(builtin(), bank, pictures()),
             gpu = scored_by(on_gpu(), bank, pictures());
  for (size_t i = 0; i < cpu.size(); ++i) {
    ck_assert_double_eq_tol(gpu[i].score, cpu[i].score, kConvolutions * cpu[i].score);
    ck_assert_double_le(relative_error(gpu[i].map, cpu[i].map), kConvolutions);
  }
}
END_TEST

START_TEST(a_bank_that_was_built_on_a_gpu_tells_defects) {
  const MemoryBank bank = built_on(on_gpu(), settings(), {});
  const auto results = scored_by(on_gpu(), bank, pictures());
  double least_defective = INFINITY, worst_normal = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const double score = results[i].score;
    if (i % 2 == 1)
      least_defective = std::min(least_defective, score);
    else
      worst_normal = std::max(worst_normal, score);
  }
  ck_assert_double_gt(least_defective, worst_normal);
}
END_TEST

START_TEST(scores_on_a_gpu_do_not_depend_on_the_batch) {
  const MemoryBank bank = built_on(on_gpu(), settings(), {.folds = 0});
  const auto together = scored_by(on_gpu(), bank, pictures());
  for (size_t i = 0; i < together.size(); ++i) {
    const Result alone = scored_by(on_gpu(), bank, {pictures()[i]}).front();
    ck_assert_double_eq_tol(together[i].score, alone.score, kConvolutions * alone.score);
    ck_assert_double_le(relative_error(together[i].map, alone.map), kConvolutions);
  }
}
END_TEST

namespace {

/// Packed RGB on the GPU, and what becomes of it there.
at::Tensor values_on_gpu(const Picture& picture, const Preprocess& preprocess) {
  const at::Tensor bytes =
      subject::there(at::tensor(at::ArrayRef<uint8_t>(picture.data(), picture.size()), at::kByte));
  const auto options = bytes.options().dtype(at::kFloat);
  const at::Tensor values = at::empty({kInput.height, kInput.width, 3}, options);
  SampledImage image;
  for (int i = 0; i < 3; ++i) {
    image.components[static_cast<size_t>(i)] = {cuda::pointer<uint8_t>(bytes) + i,
                                                int64_t{3} * kInput.width, kInput.width,
                                                kInput.height, 3};
    image.to_rgb[static_cast<size_t>(i)][static_cast<size_t>(i)] = 1;
  }
  image.width = kInput.width;
  image.height = kInput.height;
  cuda::resize(preprocess, image, cuda::InputValues::Normalised, values.data_ptr(),
               *subject::kernels, subject::stream());
  cuda::synchronize(subject::device);
  return values;
}

}  // namespace

START_TEST(frames_in_a_gpus_memory_are_learned_and_scored_as_those_of_the_host) {
  const auto backbone = on_gpu();
  const MemoryBank bank = built_on(backbone, settings(), {.folds = 0});
  const Detector detector(backbone, std::make_shared<MemoryBank>(bank));
  Fit fit(backbone, settings(), {.folds = 0});
  std::vector<at::Tensor> values;
  std::vector<Request> requests, learned;
  for (const Picture& picture : pictures()) {
    values.push_back(values_on_gpu(picture, detector.preprocess()));
    requests.push_back({nullptr, &detector, nullptr, {}});
    requests.back().cuda_values = cuda::pointer<float>(values.back());
    learned.push_back({nullptr, nullptr, &fit, {}});
    learned.back().cuda_values = requests.back().cuda_values;
  }
  // In a thread that has done nothing on a GPU before, as the element's engine has.
  std::thread([&] { infer(*backbone, kInput, requests); }).join();
  const auto expected = scored_by(backbone, bank, pictures());
  for (size_t i = 0; i < expected.size(); ++i) {
    ck_assert_double_eq_tol(requests[i].result.score, expected[i].score, 1e-3 * expected[i].score);
    ck_assert_double_le(relative_error(requests[i].result.map, expected[i].map), 1e-2);
  }
  infer(*backbone, kInput, learned);
  ck_assert_int_eq(fit.frames(), static_cast<int64_t>(learned.size()));
}
END_TEST

int main(int argc, char** argv) {
  Suite* suite = suite_create("cuda-detector");
  TCase* tests = tcase_create("cuda-detector");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_gpu_scores_as_the_cpu_does_in_every_preset);
  tcase_add_test(tests, a_gpu_sees_what_is_in_reach_as_the_cpu_does);
  tcase_add_test(tests, a_bank_that_was_built_on_a_gpu_tells_defects);
  tcase_add_test(tests, frames_in_a_gpus_memory_are_learned_and_scored_as_those_of_the_host);
  tcase_add_test(tests, scores_on_a_gpu_do_not_depend_on_the_batch);
  suite_add_tcase(suite, tests);
  return subject::run(argc, argv, suite);
}
