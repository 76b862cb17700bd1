// SPDX-License-Identifier: LGPL-2.1-or-later
#include "library.hpp"

#include <dlfcn.h>

#include <mutex>

namespace gstpatchcore {
namespace {

Library functions;
bool opened = false;

bool resolve(void* handle) {
#define F(name)                                                                             \
  if (!(functions.name = reinterpret_cast<decltype(functions.name)>(dlsym(handle, #name)))) \
    return false;
  PATCHCORE_FUNCTIONS(F)
#undef F
  return true;
}

}  // namespace

const Library* open_library(char** reason) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (opened) return &functions;
  // dlopen and not GModule: the search must follow this plugin's own RUNPATH.
  void* handle = dlopen(PATCHCORE_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  opened = handle && resolve(handle);
  if (opened) return &functions;
  const char* said = dlerror();
  *reason = g_strdup_printf("%s: %s", PATCHCORE_LIBRARY, said ? said : "can't be opened");
  return nullptr;
}

const Library& library() { return functions; }

}  // namespace gstpatchcore
