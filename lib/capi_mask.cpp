// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API over the classes: masks.

#include "capi_handles.hpp"

PatchcoreMask* patchcore_mask_load(const gchar* path, const gchar* kind, GError** error) {
  return guarded(error, [&] {
    return new PatchcoreMask(pc::Mask::load(path, pc::parse_mask_kind(text(kind, "focus"))));
  });
}

PatchcoreMask* patchcore_mask_load_beside(const gchar* bank_path, const gchar* name,
                                          GError** error) {
  return guarded(error, [&]() -> PatchcoreMask* {
    auto mask = pc::Mask::beside(bank_path, text(name, ""));
    return mask ? new PatchcoreMask(std::move(mask)) : nullptr;
  });
}

PatchcoreMask* patchcore_mask_ref(PatchcoreMask* mask) { return ref(mask); }
void patchcore_mask_unref(PatchcoreMask* mask) { unref(mask); }

gboolean patchcore_mask_check(PatchcoreMask* mask, guint frame_width, guint frame_height,
                              GError** error) {
  return guarded(error, [&]() -> gboolean {
    if (frame_width == 0 || frame_height == 0)
      throw pc::Error(pc::ErrorCode::InvalidArgument, "A frame has no pixels.");
    mask->object->check({pixels(frame_width), pixels(frame_height)});
    return TRUE;
  });
}
