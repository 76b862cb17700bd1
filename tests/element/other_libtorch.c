// SPDX-License-Identifier: LGPL-2.1-or-later
// Stands in for a library of another LibTorch: it has the name by which the linker would take it.
int patchcore_test_other_libtorch(void);
int patchcore_test_other_libtorch(void) { return 0; }
