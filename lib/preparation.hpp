// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace patchcore {

/// Has LibTorch, oneDNN, OpenMP and OpenSSL set up what they otherwise set up when they are first
/// used; some 50 ms, once a process. exit() destroys what was set up last first: before it waits
/// for a thread by a handler that is older than what the thread works with, that is gone. So
/// whoever registers such a handler prepares first. Any thread; throws nothing, since what doesn't
/// work will say so when it is used.
void prepare_process() noexcept;

}  // namespace patchcore
