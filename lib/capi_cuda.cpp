// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API over the classes: frames in a GPU's memory.

#include "capi_handles.hpp"
#include "cuda/frames.hpp"
#include "cuda/module.hpp"
#include "patchcore-cuda.h"

namespace {

const pc::cuda::Kernels& kernels() {
  const auto* kernels = pc::cuda::kernels();
  if (!kernels)
    throw pc::Error(
        pc::ErrorCode::Init,
        "Frames in a GPU's memory need libpatchcore-cuda.so, of this version, and a GPU "
        "of compute capability 8.0 or more with a driver for it.");
  return *kernels;
}

bool takes_cuda_values(const pc::Backbone& backbone) {
  return backbone.device().is_cuda() && pc::cuda::kernels();
}

}  // namespace

gboolean patchcore_cuda_is_available(GError** error) {
  return guarded(error, []() -> gboolean { return kernels(), TRUE; });
}

gboolean patchcore_detector_takes_cuda_values(PatchcoreDetector* detector) {
  return takes_cuda_values(detector->object->backbone());
}

gboolean patchcore_fit_takes_cuda_values(PatchcoreFit* fit) {
  return takes_cuda_values(fit->object->backbone()) && fit->object->views() == 1;
}

gboolean patchcore_cuda_resize(const PatchcorePreprocess* preprocess,
                               const PatchcoreSampledImage* frame, PatchcoreCudaInput input,
                               gpointer out, gpointer stream, GError** error) {
  return guarded(error, [&]() -> gboolean {
    if (!out) throw pc::Error(pc::ErrorCode::InvalidArgument, "There is no room for the input.");
    pc::cuda::resize(unwrap(preprocess), to_cpp(*frame), static_cast<pc::cuda::InputValues>(input),
                     out, kernels(), stream);
    return TRUE;
  });
}

gboolean patchcore_cuda_paint(const PatchcoreCudaPicture* picture,
                              const PatchcoreSamples* component, guint sub_x, guint sub_y,
                              const gfloat weights[4], gpointer stream, GError** error) {
  return guarded(error, [&]() -> gboolean {
    pc::cuda::Paint p{};
    p.sub_x = static_cast<int32_t>(MIN(sub_x, 16));
    p.sub_y = static_cast<int32_t>(MIN(sub_y, 16));
    p.width = pixels(picture->frame_width);
    p.height = pixels(picture->frame_height);
    p.interlaced = picture->interlaced;
    p.pixels = picture->pixels;
    p.picture_width = pixels(picture->width);
    p.picture_height = pixels(picture->height);
    p.x = picture->x;
    p.y = picture->y;
    p.w = picture->w;
    p.h = picture->h;
    for (int i = 0; i < 4; ++i) p.weights[i] = weights[i];
    pc::cuda::paint(to_cpp(*component), p, kernels(), stream);
    return TRUE;
  });
}
