// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <check.h>
#undef fail  // Check's old macro; the standard library has functions of this name

#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>

/// Fails the test unless two texts are the same. Check's own macro keeps a pointer into a temporary
/// string beyond its life.
inline void assert_text(const std::string& ours, const std::string& expected,
                        std::source_location where = std::source_location::current()) {
  ck_assert_msg(ours == expected, "%s:%u: \"%s\" is not \"%s\"", where.file_name(),
                static_cast<unsigned>(where.line()), ours.c_str(), expected.c_str());
}

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
