// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <initializer_list>

#include "instruction_sets.hpp"

namespace patchcore::kernels {

#ifdef PATCHCORE_X86_KERNELS

namespace {

/// Linux gives a process tile registers on request only.
bool has_tiles() {
#ifdef __linux__
  constexpr long kRequestState = 0x1023, kTileData = 18;  // asm/prctl.h, since Linux 5.16
  static const bool granted = __builtin_cpu_supports("amx-tile") &&
                              __builtin_cpu_supports("amx-bf16") &&
                              syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

}  // namespace

bool is_available(InstructionSet set) {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  switch (set) {
    case InstructionSet::Amx: return bf16 && has_tiles();
    case InstructionSet::Avx512Bf16: return bf16;
    case InstructionSet::Avx512: return avx512;
    case InstructionSet::Avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::Scalar: break;
  }
  return true;
}

const Kernels& kernels(InstructionSet set) {
  switch (set) {
    case InstructionSet::Amx: return kAmx;
    case InstructionSet::Avx512Bf16: return kAvx512Bf16;
    case InstructionSet::Avx512: return kAvx512;
    case InstructionSet::Avx2: return kAvx2;
    case InstructionSet::Scalar: break;
  }
  return kScalar;
}

#else

bool is_available(InstructionSet set) { return set == InstructionSet::Scalar; }

const Kernels& kernels(InstructionSet) { return kScalar; }

#endif

const Kernels& kernels() {
  static const InstructionSet best = [] {
    for (const auto set : {InstructionSet::Amx, InstructionSet::Avx512Bf16, InstructionSet::Avx512,
                           InstructionSet::Avx2})
      if (is_available(set)) return set;
    return InstructionSet::Scalar;
  }();
  return kernels(best);
}

}  // namespace patchcore::kernels
