// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace patchcore {

template <typename T>
class AlignedAllocator {
 public:
  using value_type = T;

  AlignedAllocator() = default;
  template <typename U>
  explicit AlignedAllocator(const AlignedAllocator<U>&) {}

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* first = ::operator new(bytes, alignment(count));
#ifdef MADV_HUGEPAGE
    if (bytes >= kHugePage) madvise(first, bytes, MADV_HUGEPAGE);  // a wish: refusal is no error
#endif
    return static_cast<T*>(first);
  }
  void deallocate(T* first, size_t count) { ::operator delete(first, alignment(count)); }

  bool operator==(const AlignedAllocator&) const { return true; }

 private:
  static constexpr size_t kCacheLine = 64, kHugePage = 2 << 20;

  static std::align_val_t alignment(size_t count) {
    return std::align_val_t{count * sizeof(T) >= kHugePage ? kHugePage : kCacheLine};
  }
};

/// Begins at a cache line, which is what the widest vectors and the rows of tiles are loaded by:
/// what straddles two lines takes twice as long, for tiles four times. Asks for huge pages where it
/// is large: rows that are looked at here and there are seldom on a page that the processor knows.
template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace patchcore
