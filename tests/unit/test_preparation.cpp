// SPDX-License-Identifier: LGPL-2.1-or-later
// What is registered to be destroyed at exit once the process is prepared. This program's own
// __cxa_atexit takes the place of the C library's, for LibTorch and OpenSSL too.

#include <dlfcn.h>

#include <atomic>
#include <string>

#include "coreset.hpp"
#include "nearest_neighbour.hpp"
#include "network_checks.hpp"
#include "preparation.hpp"
#include "sha256.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

std::atomic<int> handles = 0, others = 0;

/// Whether it is a function of ATen's that keeps the handle of its operator, whose destructor does
/// nothing.
bool keeps_a_handle(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) && info.dli_sname &&
         std::string(info.dli_sname).starts_with("_ZN2at4_ops");
}

}  // namespace

extern "C" int __cxa_atexit(void (*destroy)(void*), void* object, void* library) {
  using Function = int(void (*)(void*), void*, void*);
  static auto* const real = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, "__cxa_atexit"));
  ++(keeps_a_handle(__builtin_return_address(0)) ? handles : others);
  return real(destroy, object, library);
}

START_TEST(a_prepared_process_sets_up_nothing_more_that_exit_destroys) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {}, ResNetWeights("resnet18", 3).tensors);
  prepare_process();
  handles = others = 0;
  BackboneOptions options = network_options("resnet18", folder / "w");
  for (const auto precision : {Precision::Fp32, Precision::Auto}) {
    options.precision = precision;
    Backbone::get(options)->features(network_input());
  }
  Backbone::get({"builtin", "", {}, "cpu", Precision::Auto})->features(network_input());
  const at::Tensor rows = float_noise("rows", {600, 300});
  const at::Tensor bank = rows.index_select(0, greedy_k_center(rows, 60, {{}, 0}));
  NearestNeighbour(bank).search(rows, 1);
  Sha256().hex();
  ck_assert_int_gt(handles, 0);  // else none are seen
  ck_assert_int_eq(others, 0);
}
END_TEST

int main() {
  Suite* suite = suite_create("preparation");
  TCase* tests = tcase_create("preparation");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_prepared_process_sets_up_nothing_more_that_exit_destroys);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
