// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace gstpatchcore {

/// Whether a C++ library that is opened now must look for symbols among its own dependencies first
/// (RTLD_DEEPBIND), or the first exception through it would end the process.
///
/// Two libraries unwind the stack: libgcc_s, and libunwind, which GStreamer brings along. libstdc++
/// begins each throw, with the one that it found when it was loaded; whoever goes on with the other
/// one crashes. They differ where libstdc++ came first, as with `import torch` or `import numpy`
/// before Gst, whose libraries PyGObject opens for the whole process to see.
bool must_bind_deep();

}  // namespace gstpatchcore
