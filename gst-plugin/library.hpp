// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <patchcore-cuda.h>

// Every function of libpatchcore that the plugin calls.
#define PATCHCORE_FUNCTIONS(F)                  \
  F(patchcore_error_quark)                      \
  F(patchcore_prepare)                          \
  F(patchcore_backbone_get)                     \
  F(patchcore_backbone_get_for_bank)            \
  F(patchcore_backbone_unref)                   \
  F(patchcore_backbone_get_id)                  \
  F(patchcore_bank_load)                        \
  F(patchcore_bank_exists)                      \
  F(patchcore_bank_check_room)                  \
  F(patchcore_bank_save)                        \
  F(patchcore_bank_unref)                       \
  F(patchcore_bank_get_info)                    \
  F(patchcore_bank_get_id)                      \
  F(patchcore_bank_get_model)                   \
  F(patchcore_bank_extend)                      \
  F(patchcore_preprocess_get_geometry)          \
  F(patchcore_preprocess_resize)                \
  F(patchcore_preprocess_resize_floats)         \
  F(patchcore_preprocess_resize_samples)        \
  F(patchcore_preprocess_resize_samples_floats) \
  F(patchcore_fit_new)                          \
  F(patchcore_fit_unref)                        \
  F(patchcore_fit_get_preprocess)               \
  F(patchcore_fit_get_frames)                   \
  F(patchcore_fit_set_video)                    \
  F(patchcore_fit_get_outliers)                 \
  F(patchcore_fit_build)                        \
  F(patchcore_detector_new)                     \
  F(patchcore_detector_unref)                   \
  F(patchcore_detector_get_preprocess)          \
  F(patchcore_mask_load)                        \
  F(patchcore_mask_load_beside)                 \
  F(patchcore_mask_unref)                       \
  F(patchcore_mask_check)                       \
  F(patchcore_result_clear)                     \
  F(patchcore_result_get_regions)               \
  F(patchcore_colormap)                         \
  F(patchcore_text_mask)                        \
  F(patchcore_cuda_is_available)                \
  F(patchcore_cuda_resize)                      \
  F(patchcore_cuda_paint)                       \
  F(patchcore_detector_takes_cuda_values)       \
  F(patchcore_fit_takes_cuda_values)            \
  F(patchcore_infer)

namespace gstpatchcore {

/// libpatchcore, opened when an element first goes to READY and never closed, so that a registry
/// scan and gst-inspect-1.0 load no LibTorch.
struct Library {
#define F(name) decltype(&::name) name;
  PATCHCORE_FUNCTIONS(F)
#undef F
};

/// Opens it, once a process; any thread. Returns nullptr and fills `reason` (of whom to tell: the
/// file and what the loader said) where it can't be opened, or where another LibTorch is in the
/// process; a later call tries again.
const Library* open_library(char** reason);

/// Has open_library() succeeded?
bool library_is_open();

/// The open library. Only after open_library() has succeeded.
const Library& library();

}  // namespace gstpatchcore
