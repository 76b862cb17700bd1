// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace gstpatchcore {

/// Why libpatchcore would not get, or has not got, the LibTorch that it was built with; empty where
/// all is well. The text names both LibTorch's files and versions, and the cure.
///
/// The dynamic linker gives a library what it needs by name: LibTorch that is in the process
/// already, of a Python program that imported torch, is taken whatever its version. So this is
/// asked before libpatchcore is opened. It may be shared if it is the same file or of the same
/// release, and complete. Asked again afterwards, since LD_LIBRARY_PATH may lead elsewhere.
/// Loads nothing, runs nothing of what it finds; any thread.
std::string libtorch_conflict();

}  // namespace gstpatchcore
