// SPDX-License-Identifier: LGPL-2.1-or-later
#include "unwinder.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <string_view>

namespace gstpatchcore {
namespace {

constexpr const char* kThrow = "_Unwind_RaiseException";

using Address = ElfW(Addr);
using Relocation = ElfW(Rela);
using Symbol = ElfW(Sym);

/// What a loaded library's dynamic section tells of the functions that it takes from others.
class Bindings {
 public:
  explicit Bindings(const link_map* library) : base_(library->l_addr) {
    for (const auto* entry = library->l_ld; entry->d_tag != DT_NULL; ++entry) {
      const auto& value = entry->d_un;
      switch (entry->d_tag) {
        case DT_STRTAB: names_ = at<char>(value.d_ptr); break;
        case DT_SYMTAB: symbols_ = at<Symbol>(value.d_ptr); break;
        case DT_RELA: data_.first = at<Relocation>(value.d_ptr); break;
        case DT_RELASZ: data_.count = value.d_val / sizeof(Relocation); break;
        case DT_JMPREL: calls_.first = at<Relocation>(value.d_ptr); break;
        case DT_PLTRELSZ: calls_.count = value.d_val / sizeof(Relocation); break;
        default: break;
      }
    }
  }

  /// What the linker has found for a function; nullptr if the library takes none of this name.
  const void* find(const char* name) const {
    for (const Table& table : {calls_, data_})
      for (const auto* entry = table.first; entry != table.first + table.count; ++entry) {
        const size_t symbol = ELF64_R_SYM(entry->r_info);
        if (symbol != 0 && std::strcmp(names_ + symbols_[symbol].st_name, name) == 0)
          return *reinterpret_cast<const void* const*>(base_ + entry->r_offset);
      }
    return nullptr;
  }

 private:
  struct Table {
    const Relocation* first = nullptr;
    size_t count = 0;
  };

  /// Glibc has made addresses of the offsets, but not on every processor.
  template <typename T>
  const T* at(Address value) const {
    return reinterpret_cast<const T*>(value < base_ ? base_ + value : value);
  }

  Address base_;
  const char* names_ = nullptr;
  const Symbol* symbols_ = nullptr;
  Table data_, calls_;
};

/// The function with which libstdc++ throws.
const void* throwing_function() {
  void* handle = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return nullptr;
  const link_map* library = nullptr;
  const void* function = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &library) == 0) function = Bindings(library).find(kThrow);
  dlclose(handle);  // this plugin links it, so it stays
  return function;
}

}  // namespace

bool must_bind_deep() {
  const void* thrown_with = throwing_function();
  Dl_info from{};
  // Where it is bound lazily and nothing was thrown yet, this is in libstdc++ itself: then it will
  // find what everyone finds.
  if (!thrown_with || !dladdr(thrown_with, &from) || !from.dli_fname) return false;
  return std::string_view(from.dli_fname).find("/libgcc_s.so") != std::string_view::npos &&
         thrown_with != dlsym(RTLD_DEFAULT, kThrow);
}

}  // namespace gstpatchcore
