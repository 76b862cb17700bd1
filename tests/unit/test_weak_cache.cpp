// SPDX-License-Identifier: LGPL-2.1-or-later
// One object a key, whoever asks, for as long as anybody has it.

#include <future>
#include <stdexcept>
#include <thread>

#include "support.hpp"
#include "weak_cache.hpp"

using namespace patchcore;

namespace {

using Cache = WeakCache<int, int>;

std::shared_ptr<const int> made(Cache& cache, int key, int value) {
  return cache.get(key, [&] { return std::make_shared<const int>(value); });
}

/// Asks for a key in a thread of its own, where the making lasts until finish().
class SlowMaker {
 public:
  SlowMaker(Cache& cache, int key, int value)
      : thread_([this, &cache, key, value] {
          object_ = cache.get(key, [&] {
            begun_.set_value();
            finish_.get_future().wait();
            return std::make_shared<const int>(value);
          });
        }) {
    begun_.get_future().wait();
  }

  std::shared_ptr<const int> finish() {
    finish_.set_value();
    thread_.join();
    return object_;
  }

 private:
  std::promise<void> begun_, finish_;
  std::shared_ptr<const int> object_;
  std::thread thread_;
};

}  // namespace

START_TEST(a_key_has_one_object_for_as_long_as_anybody_has_it) {
  Cache cache;
  auto first = made(cache, 1, 10);
  ck_assert_ptr_eq(made(cache, 1, 11).get(), first.get());
  const std::weak_ptr<const int> watched = first;
  first.reset();
  ck_assert(watched.expired());
  ck_assert_int_eq(*made(cache, 1, 12), 12);
}
END_TEST

START_TEST(another_key_has_another_object) {
  Cache cache;
  const auto first = made(cache, 1, 10), second = made(cache, 2, 20);
  ck_assert_int_eq(*first, 10);
  ck_assert_int_eq(*second, 20);
}
END_TEST

START_TEST(who_fails_to_make_an_object_fails_alone) {
  Cache cache;
  const auto fails = []() -> std::shared_ptr<const int> { throw std::runtime_error("no"); };
  bool failed = false;
  try {
    cache.get(1, fails);
  } catch (const std::runtime_error&) {
    failed = true;
  }
  ck_assert(failed);
  ck_assert_int_eq(*made(cache, 1, 10), 10);
}
END_TEST

START_TEST(who_asks_for_what_is_being_made_gets_that) {
  Cache cache;
  SlowMaker maker(cache, 1, 10);
  std::promise<void> waits;
  const Monitor monitor{{}, [&, told = false]() mutable {
                          if (!std::exchange(told, true)) waits.set_value();
                          return false;
                        }};
  std::shared_ptr<const int> second;
  std::thread asker([&] {
    second = cache.get(
        1, [] { return std::make_shared<const int>(11); }, monitor);
  });
  waits.get_future().wait();
  const auto first = maker.finish();
  asker.join();
  ck_assert_ptr_eq(second.get(), first.get());
}
END_TEST

START_TEST(waiting_for_what_is_being_made_is_cancelled) {
  Cache cache;
  SlowMaker maker(cache, 1, 10);
  const Monitor monitor{{}, [] { return true; }};
  assert_refused(ErrorCode::Cancelled, {}, "waiting", [&] {
    cache.get(
        1, [] { return std::make_shared<const int>(11); }, monitor);
  });
  ck_assert_int_eq(*maker.finish(), 10);
}
END_TEST

START_TEST(another_key_is_not_waited_for) {
  Cache cache;
  SlowMaker maker(cache, 1, 10);
  ck_assert_int_eq(*made(cache, 2, 20), 20);
  ck_assert_int_eq(*maker.finish(), 10);
}
END_TEST

START_TEST(many_threads_that_ask_at_once_get_one_object) {
  for (int round = 0; round < 50; ++round) {
    Cache cache;
    std::atomic<int> times{0};
    std::vector<std::shared_ptr<const int>> objects(8);
    std::vector<std::thread> threads;
    for (auto& object : objects)
      threads.emplace_back(
          [&] { object = cache.get(1, [&] { return std::make_shared<const int>(++times); }); });
    for (auto& thread : threads) thread.join();
    ck_assert_int_eq(times, 1);
    for (const auto& object : objects) ck_assert_ptr_eq(object.get(), objects[0].get());
  }
}
END_TEST

int main() {
  Suite* suite = suite_create("weak-cache");
  TCase* tests = tcase_create("weak-cache");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, a_key_has_one_object_for_as_long_as_anybody_has_it);
  tcase_add_test(tests, another_key_has_another_object);
  tcase_add_test(tests, who_fails_to_make_an_object_fails_alone);
  tcase_add_test(tests, who_asks_for_what_is_being_made_gets_that);
  tcase_add_test(tests, waiting_for_what_is_being_made_is_cancelled);
  tcase_add_test(tests, another_key_is_not_waited_for);
  tcase_add_test(tests, many_threads_that_ask_at_once_get_one_object);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
