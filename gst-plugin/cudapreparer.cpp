// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cudapreparer.hpp"

namespace gstpatchcore {
namespace {

bool fail(GError** error, const char* what) {
  g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
              "The GPU can't make the network's input of a frame: %s.", what);
  return false;
}

}  // namespace

std::unique_ptr<FramePreparer> CudaPreparer::make(const GstVideoInfo& info, std::string* why) {
  const char* reason = nullptr;
  const CudaModule* module = cuda_module(&reason);
  ErrorPtr error;
  if (!module)
    *why = std::string(reason) + "; put cudadownload before this element.";
  else if (!library().patchcore_cuda_is_available(error.out()))
    *why = error.get()->message;
  else
    return std::make_unique<CudaPreparer>(info, module->make_frames());
  *why = "Frames in CUDA memory can't be taken: " + *why;
  return nullptr;
}

CudaPreparer::CudaPreparer(const GstVideoInfo& info, std::unique_ptr<CudaFrames> frames)
    : FramePreparer(info), frames_(std::move(frames)) {}

std::optional<View> CudaPreparer::map(GstBuffer* buffer, GError** error) {
  switch (frames_->map(buffer, info(), /*writable=*/false, &frame_)) {
    case CudaFrames::Mapping::Done: break;
    case CudaFrames::Mapping::Unlike: return unlike_its_caps(error);
    case CudaFrames::Mapping::Failed: fail(error, "its context can't be used"); return {};
  }
  if (holds_samples(frame_, info())) return view_of(frame_, info());
  frames_->unmap(&frame_);
  return unlike_its_caps(error);
}

/// The frame may be written over from now on, and the engine read what was made of it.
bool CudaPreparer::unmap(GError** error) {
  const bool done = frames_->wait();
  frames_->unmap(&frame_);
  return done || fail(error, "its kernel failed");
}

bool CudaPreparer::fill(const Area& area, const View& view, const Preparation& preparation,
                        bool floats, Job* job, GError** error) {
  const bool stays = preparation.takes_cuda_values;
  const gsize values = gsize{3} * job->width * job->height;
  const gsize bytes = values * (stays || floats ? sizeof(gfloat) : 1);
  const auto input = stays    ? PATCHCORE_CUDA_INPUT_NORMALISED
                     : floats ? PATCHCORE_CUDA_INPUT_FLOATS
                              : PATCHCORE_CUDA_INPUT_BYTES;
  const std::shared_ptr<void> out = frames_->allocate(bytes);
  if (!out) return fail(error, "there is no memory left");
  const PatchcoreSampledImage image = sampled_image(frame_, info(), view, area);
  if (!library().patchcore_cuda_resize(preparation.preprocess, &image, input, out.get(),
                                       frames_->stream(), error))
    return false;
  if (stays) {
    job->cuda_values = out;
    return true;
  }
  floats ? job->rgb_floats.resize(values) : job->rgb.resize(values);
  gpointer to = floats ? static_cast<gpointer>(job->rgb_floats.data()) : job->rgb.data();
  return frames_->download(to, out.get(), bytes) || fail(error, "the input can't be read");
}

}  // namespace gstpatchcore
