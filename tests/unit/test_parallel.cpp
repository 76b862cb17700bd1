// SPDX-License-Identifier: LGPL-2.1-or-later
// Pieces of work on LibTorch's threads.

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "parallel.hpp"
#include "support.hpp"

using namespace patchcore;

START_TEST(each_piece_is_done_once) {
  for (const size_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> done(count);
    for_each(count, [&](size_t i) { ++done[i]; });
    for (const auto& times : done) ck_assert_int_eq(times, 1);
  }
}
END_TEST

START_TEST(what_a_piece_throws_comes_to_the_caller_when_all_are_done) {
  std::atomic<int> done = 0;
  const auto work = [&](size_t i) {
    ++done;
    if (i == 3) throw std::runtime_error("three");
  };
  try {
    for_each(20, work);
    ck_abort_msg("nothing was thrown");
  } catch (const std::runtime_error& error) {
    ck_assert_str_eq(error.what(), "three");
  }
  ck_assert_int_eq(done, 20);
}
END_TEST

START_TEST(a_piece_makes_tensors_without_gradients_where_the_caller_does) {
  std::array<bool, 8> without{};
  const auto work = [&](size_t i) { without[i] = at::zeros({1}).is_inference(); };
  for_each(without.size(), work);
  for (const bool each : without) ck_assert(!each);
  const c10::InferenceMode no_gradients;
  for_each(without.size(), work);
  for (const bool each : without) ck_assert(each);
}
END_TEST

START_TEST(two_threads_work_at_the_same_time) {
  if (at::get_num_threads() < 2) return;
  // Each of the first two waits for the other.
  std::atomic<int> begun = 0;
  for_each(2, [&](size_t) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  });
}
END_TEST

// ATen picks kernels by this number, and its answers differ in the last bit.
START_TEST(every_thread_is_told_the_same_number_of_threads) {
  if (at::get_num_threads() < 2) return;
  std::array<int, 2> told{};
  std::atomic<int> begun = 0;
  for_each(told.size(), [&](size_t i) {
    ++begun;
    while (begun < 2) std::this_thread::yield();  // so that each has one
    static_cast<void>(at::ones({100000}).sum());  // a thread learns its number when it uses ATen
    told[i] = at::get_num_threads();
  });
  ck_assert_int_eq(told[0], told[1]);
}
END_TEST

START_TEST(threads_are_occupied_from_half_of_their_number_on) {
  const int threads = at::get_num_threads();
  at::set_num_threads(8);
  ck_assert(!occupies_threads(1));
  ck_assert(!occupies_threads(3));
  ck_assert(occupies_threads(4));
  at::set_num_threads(1);
  ck_assert(!occupies_threads(100));
  at::set_num_threads(threads);
}
END_TEST

int main() {
  Suite* suite = suite_create("parallel");
  TCase* tests = tcase_create("parallel");
  tcase_add_test(tests, each_piece_is_done_once);
  tcase_add_test(tests, what_a_piece_throws_comes_to_the_caller_when_all_are_done);
  tcase_add_test(tests, a_piece_makes_tensors_without_gradients_where_the_caller_does);
  tcase_add_test(tests, two_threads_work_at_the_same_time);
  tcase_add_test(tests, every_thread_is_told_the_same_number_of_threads);
  tcase_add_test(tests, threads_are_occupied_from_half_of_their_number_on);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
