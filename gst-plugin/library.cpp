// SPDX-License-Identifier: LGPL-2.1-or-later
#include "library.hpp"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <string>

#include "libtorch.hpp"
#include "unwinder.hpp"

namespace gstpatchcore {
namespace {

Library functions;
std::atomic<bool> opened{false};

bool resolve(void* handle) {
#define F(name)                                                                             \
  if (!(functions.name = reinterpret_cast<decltype(functions.name)>(dlsym(handle, #name)))) \
    return false;
  PATCHCORE_FUNCTIONS(F)
#undef F
  return true;
}

/// Empty, or the reason why not.
std::string open_file() {
  // dlopen and not GModule: the search must follow this plugin's own RUNPATH. Local: a program's
  // other libraries shall not find LibTorch's symbols unless they ask for them.
  const int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
  void* handle = dlopen(PATCHCORE_LIBRARY, must_bind_deep() ? flags | RTLD_DEEPBIND : flags);
  if (handle && resolve(handle)) return {};
  const char* said = dlerror();
  return std::string(PATCHCORE_LIBRARY ": ") + (said ? said : "can't be opened");
}

}  // namespace

const Library* open_library(char** reason) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (opened) return &functions;
  std::string why = libtorch_conflict();
  if (why.empty()) why = open_file();
  if (why.empty()) why = libtorch_conflict();
  if (why.empty()) {
    functions.patchcore_prepare();  // before any thread of ours may have to be waited for at exit
    opened = true;
    return &functions;
  }
  *reason = g_strdup(why.c_str());
  return nullptr;
}

bool library_is_open() { return opened; }

const Library& library() { return functions; }

}  // namespace gstpatchcore
