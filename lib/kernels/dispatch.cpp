// SPDX-License-Identifier: LGPL-2.1-or-later
#include <initializer_list>

#include "instruction_sets.hpp"

namespace patchcore::kernels {

#ifdef PATCHCORE_X86_KERNELS

bool is_available(InstructionSet set) {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  switch (set) {
    case InstructionSet::Avx512Bf16: return avx512 && __builtin_cpu_supports("avx512bf16");
    case InstructionSet::Avx512: return avx512;
    case InstructionSet::Avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::Scalar: break;
  }
  return true;
}

const Kernels& kernels(InstructionSet set) {
  switch (set) {
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
    for (const auto set :
         {InstructionSet::Avx512Bf16, InstructionSet::Avx512, InstructionSet::Avx2})
      if (is_available(set)) return set;
    return InstructionSet::Scalar;
  }();
  return kernels(best);
}

}  // namespace patchcore::kernels
