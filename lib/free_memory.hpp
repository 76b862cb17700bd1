// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace patchcore {

/// Gives the system back what is free in the middle of the heap. glibc keeps it, and what loading a
/// network leaves there in pieces is more than the network. Takes some milliseconds, for which
/// other threads that allocate may have to wait.
inline void return_free_memory() {
#ifdef __GLIBC__
  malloc_trim(/*pad=*/0);
#endif
}

}  // namespace patchcore
