// SPDX-License-Identifier: LGPL-2.1-or-later
// Times of the kernels and of whole batches on the first GPU: wide_resnet50_2 of random weights, a
// bank of 16,384 x 1536. It measures, and decides nothing.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "../unit/network_weights.hpp"
#include "coreset.hpp"
#include "cuda/features.hpp"
#include "cuda/frames.hpp"
#include "cuda/module.hpp"
#include "inference.hpp"
#include "safetensors.hpp"

using namespace patchcore;

namespace {

constexpr Size kInput{224, 224};
constexpr int64_t kBankRows = 16384, kBankFrames = 64;
constexpr int64_t kBatches[] = {1, 8, 64, 256};

/// Milliseconds, the median of several runs behind two that warm up.
template <typename Work>
double time_of(c10::Device device, int runs, Work&& work) {
  std::vector<double> times;
  for (int i = 0; i < runs + 2; ++i) {
    cuda::synchronize(device);
    const auto begin = std::chrono::steady_clock::now();
    work();
    cuda::synchronize(device);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    if (i >= 2) times.push_back(taken.count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<size_t>(runs) / 2];
}

/// One scene with another grain each time, so that patches have neighbours: N x H x W x 3.
at::Tensor frames(const std::string& name, int64_t count) {
  const at::Tensor coarse = float_noise("scene", {1, 3, 28, 28});
  const at::Tensor scene =
      at::upsample_bilinear2d(coarse, {kInput.height, kInput.width}, false).permute({0, 2, 3, 1});
  const at::Tensor grain = float_noise(name, {count, kInput.height, kInput.width, 3});
  return (scene * 90 + grain * 25 + 128).clamp(0, 255).to(at::kByte).contiguous();
}

class Bench {
 public:
  Bench() : backbone_(network()), bank_(std::make_shared<MemoryBank>(bank())) {
    detector_ = std::make_unique<Detector>(backbone_, bank_);
  }

  void run() {
    std::printf("kernels of libpatchcore-cuda.so: %s\n", cuda::kernels() ? "yes" : "no, ATen's");
    pictures_ = frames("scored", kBatches[3]);
    for (const int64_t batch : kBatches) measure(batch);
    measure_coreset();
    if (cuda::kernels()) measure_frames();
  }

 private:
  static std::shared_ptr<const Backbone> network() {
    const TemporaryFolder folder;
    write_safetensors(folder / "w", {}, ResNetWeights("wide_resnet50_2", 3).tensors);
    return Backbone::get({"wide_resnet50_2", (folder / "w").string(), {}, "cuda", Precision::Bf16});
  }

  static Settings settings() {
    Settings s = Settings::from_preset(Preset::Anomalib);
    s.resize = {kInput.width, kInput.height};
    s.crop = 0;
    return s;
  }

  at::Tensor input(const at::Tensor& rgb) const {
    const at::Tensor there = rgb.to(backbone_->device());
    const auto* kernels = cuda::kernels();
    return kernels ? cuda::normalise(there, at::kFloat, *kernels) : Preprocess::normalise(there);
  }

  /// Every third patch of other frames, far fewer than there are.
  MemoryBank bank() const {
    const Embedding patches =
        PatchEmbedding(settings())(backbone_->features(input(frames("fitted", kBankFrames))));
    MemoryBank bank;
    bank.rows = patches.rows.slice(0, 0, 3 * kBankRows, 3).cpu();
    bank.settings = settings();
    bank.settings.backbone = backbone_->options().name;
    bank.settings.layers = backbone_->options().layers;
    bank.weights_id = backbone_->weights_id();
    const at::Tensor own = at::arange(kBankRows, at::kLong).unsqueeze(1);
    bank.neighbours = (own + at::arange(bank.settings.neighbours, at::kLong)).remainder(kBankRows);
    return bank;
  }

  void measure(int64_t batch) {
    const c10::Device device = backbone_->device();
    const at::Tensor rgb = pictures_.slice(0, 0, batch).to(device);
    const int runs = batch >= 64 ? 10 : 30;
    const double preprocess = time_of(device, runs, [&] { input(rgb); });
    const at::Tensor x = input(rgb);
    const double network = time_of(device, runs, [&] { backbone_->features(x); });
    const auto maps = backbone_->features(x);
    const PatchEmbedding embedding(settings());
    const double embed = time_of(device, runs, [&] { embedding(maps); });
    const Embedding patches = embedding(maps);
    const NearestNeighbour nearest(bank_->rows.to(device));
    const double search = time_of(device, runs, [&] { nearest.search(patches.rows, 1); });
    std::vector<Request> requests;
    for (int64_t i = 0; i < batch; ++i)
      requests.push_back({pictures_[i].data_ptr<uint8_t>(), detector_.get(), nullptr, {}});
    const double all = time_of(device, runs, [&] { infer(*backbone_, kInput, requests); });
    std::printf(
        "batch %3d: preprocess %.3f ms, network %.3f, embedding %.3f, search %.3f; "
        "frames to results %.3f ms, %.0f images a second\n",
        static_cast<int>(batch), preprocess, network, embed, search, all,
        1000 * static_cast<double>(batch) / all);
  }

  void measure_coreset() const {
    constexpr int64_t kRows = 163856, kWidth = 1024, kCentres = 16385;
    const c10::Device device = backbone_->device();
    const auto options = at::TensorOptions(at::kFloat).device(device);
    // Few directions and some noise, as features have them.
    const at::Tensor rows =
        at::matmul(at::randn({kRows, 24}, options), at::randn({24, kWidth}, options)) +
        at::randn({kRows, kWidth}, options) * 0.5;
    const double taken = time_of(device, 3, [&] { greedy_k_center(rows, kCentres, {{}, 0}); });
    std::printf("coreset of %d x %d, %d centres: %.0f ms\n", static_cast<int>(kRows),
                static_cast<int>(kWidth), static_cast<int>(kCentres), taken);
  }

  /// NV12 in the GPU's memory: to the input, and under a heatmap.
  void measure_frames() const {
    const c10::Device device = backbone_->device();
    const auto bytes = at::TensorOptions(at::kByte).device(device);
    const Preprocess preprocess(settings(), backbone_->stride());
    const at::Tensor values = at::empty({kInput.height, kInput.width, 3}, bytes.dtype(at::kFloat));
    const at::Tensor heat = at::full({256, 456}, 0x80ff8000, bytes.dtype(at::kLong)).to(at::kInt);
    for (const Size size : {Size{1920, 1080}, Size{3840, 2160}}) {
      const at::Tensor frame = at::randint(256, {size.height * 3 / 2, size.width}, bytes);
      const SampledImage image = nv12(frame, size);
      const double resize = time_of(device, 30, [&] {
        cuda::resize(preprocess, image, cuda::InputValues::Normalised, values.data_ptr(),
                     *cuda::kernels(), cuda::current_stream(device));
      });
      const double paint = time_of(device, 30, [&] {
        for (size_t i = 0; i < 3; ++i) {
          cuda::Paint p{};
          p.sub_x = p.sub_y = i > 0;
          p.width = size.width;
          p.height = size.height;
          p.w = size.width;
          p.h = size.height;
          p.pixels = static_cast<const uint32_t*>(heat.data_ptr());
          p.picture_width = heat.size(1);
          p.picture_height = heat.size(0);
          p.weights[0] = 1;
          cuda::paint(image.components[i], p, *cuda::kernels(), cuda::current_stream(device));
        }
      });
      std::printf("NV12 of %d x %d in the GPU's memory: to the input %.3f ms, painted on %.3f ms\n",
                  size.width, size.height, resize, paint);
    }
  }

  static SampledImage nv12(const at::Tensor& frame, Size size) {
    const auto* data = cuda::pointer<uint8_t>(frame);
    const auto* chroma = data + int64_t{size.width} * size.height;
    SampledImage image;
    image.components = {Samples{data, size.width, size.width, size.height},
                        Samples{chroma, size.width, size.width / 2, size.height / 2, 2},
                        Samples{chroma + 1, size.width, size.width / 2, size.height / 2, 2}};
    image.to_rgb = {
        {{1.16F, 0, 1.79F, -248}, {1.16F, -0.21F, -0.53F, 77}, {1.16F, 2.11F, 0, -289}}};
    image.width = size.width;
    image.height = size.height;
    return image;
  }

  std::shared_ptr<const Backbone> backbone_;
  std::shared_ptr<const MemoryBank> bank_;
  std::unique_ptr<Detector> detector_;
  at::Tensor pictures_;
};

}  // namespace

int main() {
  const c10::InferenceMode no_gradients;
  try {
    parse_device("cuda");
  } catch (const std::exception& error) {
    std::printf("skipped: %s\n", error.what());
    return 77;
  }
  try {
    Bench().run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-gpu: %s\n", error.what());
    return 1;
  }
  return 0;
}
