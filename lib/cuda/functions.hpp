// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/kernels.hpp"

// The functions behind Kernels, in the module.
namespace patchcore::cuda {

const char* normalise(const Normalise& n, Stream stream);
const char* resize(const Resize& r, Stream stream);
const char* paint(const Paint& p, Stream stream);
const char* copy(void* to, const void* from, int64_t bytes, Stream stream);
const char* embed(const Embed& e, Stream stream);
const char* round_rows(const RoundRows& r, Stream stream);
const char* multiply(const Multiply& m, Stream stream);
const char* group_maxima(const Multiply& m, Stream stream);
const char* make_heads(const MakeHeads& m, Stream stream);
const char* walk(const Walk& w, Stream stream);
const char* choose(const Choose& c, Stream stream);

constexpr Kernels kKernels{normalise, resize,       paint,      copy, embed, round_rows,
                           multiply,  group_maxima, make_heads, walk, choose};

}  // namespace patchcore::cuda
