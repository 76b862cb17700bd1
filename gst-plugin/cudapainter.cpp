// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cudapainter.hpp"

#include <algorithm>
#include <vector>

#include "colorimetry.hpp"
#include "samples.hpp"

namespace gstpatchcore {

std::unique_ptr<FramePainter> CudaPainter::make(const GstVideoInfo& info) {
  const CudaModule* module = cuda_module(nullptr);
  return module ? std::make_unique<CudaPainter>(info, module->make_frames()) : nullptr;
}

CudaPainter::CudaPainter(const GstVideoInfo& info, std::unique_ptr<CudaFrames> frames)
    : info_(info), frames_(std::move(frames)) {}

bool CudaPainter::paint(GstBuffer* buffer, std::span<const PlacedPicture> pictures) {
  GstVideoFrame frame;
  if (frames_->map(buffer, info_, /*writable=*/true, &frame) != CudaFrames::Mapping::Done)
    return false;
  const bool painted = holds_samples(frame, info_) &&
                       std::all_of(pictures.begin(), pictures.end(),
                                   [&](const auto& placed) { return paint(frame, placed); });
  frames_->unmap(&frame);
  return painted;
}

bool CudaPainter::paint(const GstVideoFrame& frame, const PlacedPicture& placed) {
  const auto& [picture, where] = placed;
  const gsize bytes = picture.pixels.size() * sizeof picture.pixels[0];
  const std::shared_ptr<void> pixels = frames_->allocate(bytes);
  if (!pixels) return false;
  bool painted = frames_->upload(pixels.get(), picture.pixels.data(), bytes);
  const PatchcoreCudaPicture there{static_cast<const guint32*>(pixels.get()),
                                   picture.width,
                                   picture.height,
                                   where.x,
                                   where.y,
                                   where.w,
                                   where.h,
                                   static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info_)),
                                   static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info_)),
                                   GST_VIDEO_FRAME_IS_INTERLACED(&frame)};
  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info_) && painted; ++c) {
    const Weights own = weights_of(info_, c);
    gfloat weights[4];
    std::copy(own.begin(), own.end(), weights);
    const PatchcoreSamples samples = samples_of(frame, info_, c);
    painted =
        library().patchcore_cuda_paint(&there, &samples, info_.finfo->w_sub[c],
                                       info_.finfo->h_sub[c], weights, frames_->stream(), nullptr);
  }
  return frames_->wait() && painted;
}

}  // namespace gstpatchcore
