// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace patchcore::kernels {

/// Rows that `Kernels::filter` takes together.
constexpr int64_t kBlockRows = 64;

/// Which of some rows m may be near to which of some queries q: those whose q m - |m|^2 / 2, which
/// grows as |q - m| falls, is above a query's limit. Values are bf16, products are summed in fp32
/// in an order of each instruction set's own. Fast where queries and rows begin at a cache line.
struct Filter {
  const uint16_t* queries;  ///< Kernels::queries x width
  const float* limits;      ///< Kernels::queries; infinity: no row at all
  const uint16_t* rows;     ///< blocks x width / 2 x kBlockRows x 2
  const float* offsets;     ///< blocks x kBlockRows: -|m|^2 / 2; -infinity: never near
  int64_t width;            ///< even
  int64_t blocks;
};

/// The rows above one query's limit, numbered from the filter's first. A product that is no number
/// counts as above.
struct Candidates {
  int32_t* rows;    ///< room for blocks x kBlockRows
  float* products;  ///< as rows
  int64_t count;    ///< grows
};

struct Kernels {
  int64_t queries;        ///< that `filter` takes together
  int64_t head_width;     ///< of heads that balance what `filter` takes with what it leaves to do
  int64_t distance_cost;  ///< of a value of a row whose distance is computed, which is waited for
                          ///< most of the time: products of two values that `filter` makes in it
  void (*filter)(const Filter&, Candidates* of_each_query);

  /// Sum of (a - b)^2 over n values, in fp32 and in an order that is the same in each instruction
  /// set: so is the result, to the last bit.
  float (*squared_distance)(const float* a, const float* b, int64_t n);

  /// Sum of a b over n values of bf16, as `filter` sums.
  float (*product)(const uint16_t* a, const uint16_t* b, int64_t n);
};

enum class InstructionSet { Scalar, Avx2, Avx512, Avx512Bf16, Amx };

/// Whether this processor has it, this library was built with it, and the system lets this process
/// use it, which for AMX it is asked for.
bool is_available(InstructionSet set);

/// Of a set that is available. Scalar is plain C++, which the others are compared with.
const Kernels& kernels(InstructionSet set);

/// Of the best set that is available.
const Kernels& kernels();

}  // namespace patchcore::kernels
