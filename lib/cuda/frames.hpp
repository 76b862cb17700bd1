// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/kernels.hpp"
#include "preprocess.hpp"

namespace patchcore::cuda {

/// What the input of a network is made of: as Preprocess::resize() gives it in bytes or floats, or
/// as its normalise() then has it.
enum class InputValues { Bytes, Floats, Normalised };

/// Preprocess::resize() of a frame in a GPU's memory, of samples of up to 16 bits, and normalise()
/// of that, in one kernel. out: in the memory of the current context, which `stream` is of too;
/// height x width x 3 of Preprocess::geometry(). Within four levels of 255, and mostly two, of what
/// the CPU has, which rounds on the way. Throws Error(InvalidArgument) for samples that can't be,
/// Error(Failed).
void resize(const Preprocess& preprocess, const SampledImage& frame, InputValues values, void* out,
            const Kernels& kernels, Stream stream);

/// Stretches p.pixels over the samples whose middle lies in the rectangle, and writes these. p: all
/// but what of the samples is looked at, and where they are. Throws as resize() does.
void paint(const Samples& on, Paint p, const Kernels& kernels, Stream stream);

}  // namespace patchcore::cuda
