// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <check.h>
#undef fail  // Check's old macro; the standard library has functions of this name

#include <cstdio>
#include <cstdlib>

/// Runs a suite and prints TAP, which carries each test's verdict to Meson; so the exit status
/// only tells that the program came to its end.
inline int run_suite(Suite* suite) {
  SRunner* runner = srunner_create(suite);
  srunner_set_tap(runner, "-");
  srunner_run_all(runner, CK_SILENT);
  srunner_free(runner);
  return EXIT_SUCCESS;
}

/// For a program whose tests need something that isn't there.
inline int skip_suite(const char* reason) {
  std::printf("1..0 # SKIP %s\n", reason);
  return EXIT_SUCCESS;
}
