/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * libpatchcore: frames in a GPU's memory.
 *
 * In place of patchcore_preprocess_resize_samples(): a decoder's frame stays where it is, and one
 * kernel makes the network's input of it. Pointers are of the memory of the CUDA context that is
 * current in the calling thread, which the stream (a CUstream or cudaStream_t; NULL: the default
 * one) is of too. It need not be LibTorch's context. Work is put on the stream; the caller waits
 * for it. Threads, ownership and errors are as in patchcore.h.
 */
#pragma once

#include "patchcore.h"

G_BEGIN_DECLS

typedef enum {
  PATCHCORE_CUDA_INPUT_BYTES,      /* as patchcore_preprocess_resize() has them */
  PATCHCORE_CUDA_INPUT_FLOATS,     /* as patchcore_preprocess_resize_floats() has them */
  PATCHCORE_CUDA_INPUT_NORMALISED, /* floats, for PatchcoreRequest.cuda_values */
} PatchcoreCudaInput;

/* Are there the kernels for what follows, and a GPU that runs them? Otherwise it fails with INIT.
 */
PATCHCORE_API gboolean patchcore_cuda_is_available(GError** error);

/* Whether requests may have cuda_values: the network is on a GPU, and the fit learns frames as they
 * are, without augmentation. Else the input is to be brought to the host as BYTES or FLOATS, see
 * PatchcoreGeometry. */
PATCHCORE_API gboolean patchcore_detector_takes_cuda_values(PatchcoreDetector* detector);
PATCHCORE_API gboolean patchcore_fit_takes_cuda_values(PatchcoreFit* fit);

/* Resize, conversion, crop and, where asked for, normalisation in one kernel, of samples of up to
 * 16 bits. out: room for width * height * 3 bytes or floats of patchcore_preprocess_get_geometry().
 * Within four levels of 255, and mostly two, of patchcore_preprocess_resize_samples(), which
 * rounds on the way. */
PATCHCORE_API gboolean patchcore_cuda_resize(const PatchcorePreprocess* preprocess,
                                             const PatchcoreSampledImage* frame,
                                             PatchcoreCudaInput input, gpointer out,
                                             gpointer stream, GError** error);

/* A picture over a rectangle of a frame. */
typedef struct {
  const guint32* pixels; /* height rows of width: alpha (the highest 8 bits), red, green, blue; not
                            premultiplied, full range */
  guint width, height;
  gdouble x, y, w, h;              /* where, pixels of the frame; what lies outside is cut off */
  guint frame_width, frame_height; /* pixels */
  gboolean interlaced;             /* two fields are woven into the frame */
} PatchcoreCudaPicture;

/* Blends the picture with one component of the frame, bilinear in premultiplied values. A sample is
 * of 2^sub_x pixels in a row and of 2^sub_y rows, 0 to 4. weights: the component's level, as it is
 * stored, of red, green and blue, each 0 to 255, and of 1. */
PATCHCORE_API gboolean patchcore_cuda_paint(const PatchcoreCudaPicture* picture,
                                            const PatchcoreSamples* component, guint sub_x,
                                            guint sub_y, const gfloat weights[4], gpointer stream,
                                            GError** error);

G_END_DECLS
