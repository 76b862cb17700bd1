// SPDX-License-Identifier: LGPL-2.1-or-later
// Which jobs make a batch, whatever the machine: Batcher by itself, its clock in the test's hand.

#include <batcher.hpp>

#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

constexpr GstClockTimeDiff kAlways = G_MAXINT64;

/// A stream whose jobs are wanted until their deadline on a clock that stands.
struct Stream : Listener {
  GstClockTimeDiff time_left(const Job& job) const override {
    return GST_CLOCK_TIME_IS_VALID(job.deadline) ? GST_CLOCK_DIFF(now, job.deadline) : kAlways;
  }
  void job_done(Job&) override {}

  GstClockTime now = 1000 * GST_MSECOND;
};

std::shared_ptr<Job> make_job(guint number, guint batch_size = 4, guint side = 8) {
  auto job = std::make_shared<Job>();
  job->width = job->height = side;
  job->batch_size = batch_size;
  job->batch = number;  // who it is, for the test
  return job;
}

std::vector<guint64> numbers(const std::vector<Batcher::Entry>& entries) {
  std::vector<guint64> all;
  for (const auto& entry : entries) all.push_back(entry.job->batch);
  return all;
}

using Numbers = std::vector<guint64>;

/// The next batch's numbers; what is skipped is added to `skipped`.
Numbers take(Batcher& batcher, Numbers* skipped = nullptr) {
  std::vector<Batcher::Entry> too_late;
  const Numbers batch = numbers(batcher.take(&too_late));
  if (skipped)
    *skipped = numbers(too_late);
  else
    ck_assert_uint_eq(too_late.size(), 0);
  return batch;
}

}  // namespace

START_TEST(what_has_gathered_goes_in_one_batch_in_its_order) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  for (guint i = 0; i < 3; ++i) batcher.add({make_job(i), stream});
  ck_assert(take(batcher) == Numbers({0, 1, 2}));
  ck_assert(batcher.empty());
}
END_TEST

START_TEST(a_batch_is_as_large_as_the_smallest_batch_size_in_it) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>(), careful = std::make_shared<Stream>();
  for (guint i = 0; i < 4; ++i) batcher.add({make_job(i, 8), stream});
  batcher.add({make_job(4, 2), careful});
  ck_assert(take(batcher) == Numbers({0, 4}));
  ck_assert(take(batcher) == Numbers({1, 2, 3}));
}
END_TEST

START_TEST(a_batch_has_one_shape_and_the_other_comes_next) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  for (guint i = 0; i < 4; ++i) batcher.add({make_job(i, 4, i % 2 ? 16 : 8), stream});
  ck_assert(take(batcher) == Numbers({0, 2}));
  ck_assert(take(batcher) == Numbers({1, 3}));
}
END_TEST

START_TEST(streams_take_turns_so_that_a_fast_one_starves_nobody) {
  Batcher batcher;
  const auto fast = std::make_shared<Stream>(), slow = std::make_shared<Stream>();
  for (guint i = 0; i < 10; ++i) batcher.add({make_job(i), fast});
  batcher.add({make_job(10), slow});
  ck_assert(take(batcher) == Numbers({0, 10, 1, 2}));
  ck_assert(take(batcher) == Numbers({3, 4, 5, 6}));
}
END_TEST

START_TEST(a_stream_of_another_shape_has_its_turn_though_it_came_later) {
  Batcher batcher;
  const auto many = std::make_shared<Stream>(), other = std::make_shared<Stream>();
  for (guint i = 0; i < 12; ++i) batcher.add({make_job(i), many});
  batcher.add({make_job(12, 4, 16), other});
  batcher.add({make_job(13, 4, 16), other});
  ck_assert(take(batcher) == Numbers({0, 1, 2, 3}));
  ck_assert(take(batcher) == Numbers({12, 13}));
  ck_assert(take(batcher) == Numbers({4, 5, 6, 7}));
}
END_TEST

START_TEST(a_job_that_would_come_too_late_is_skipped) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  batcher.took(*make_job(0), 1, 50 * GST_MSECOND);
  for (guint i = 0; i < 3; ++i) {
    auto job = make_job(i);
    job->deadline = stream->now + (20 + 100 * i) * GST_MSECOND;  // 20, 120, 220 ms from now
    batcher.add({job, stream});
  }
  Numbers skipped;
  ck_assert(take(batcher, &skipped) == Numbers({1, 2}));
  ck_assert(skipped == Numbers({0}));
}
END_TEST

START_TEST(a_batch_is_no_larger_than_its_most_hurried_job_can_wait_for) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  batcher.took(*make_job(0), 4, 200 * GST_MSECOND);  // 50 ms each
  for (guint i = 0; i < 4; ++i) {
    auto job = make_job(i);
    job->deadline = stream->now + 120 * GST_MSECOND;  // time for two
    batcher.add({job, stream});
  }
  ck_assert(take(batcher) == Numbers({0, 1}));
}
END_TEST

START_TEST(a_stream_that_is_always_late_still_gets_its_newest_inferred) {
  Batcher batcher;
  const auto hopeless = std::make_shared<Stream>(), fine = std::make_shared<Stream>();
  batcher.took(*make_job(0), 1, 50 * GST_MSECOND);
  for (guint i = 0; i < 3; ++i) {
    auto job = make_job(i);
    job->deadline = hopeless->now + 10 * GST_MSECOND;
    batcher.add({job, hopeless});
  }
  for (guint i = 3; i < 9; ++i) batcher.add({make_job(i), fine});
  Numbers skipped;
  ck_assert(take(batcher, &skipped) == Numbers({2, 3, 4, 5}));
  ck_assert(skipped == Numbers({0, 1}));
}
END_TEST

namespace {

/// An inspection of three regions, each of a shape of its own, whose frame leaves so far from now.
std::shared_ptr<Inspection> three_regions(guint number, const Stream& stream,
                                          GstClockTimeDiff until) {
  auto inspection = std::make_shared<Inspection>();
  for (guint i = 0; i < 3; ++i) {
    auto job = std::make_unique<Job>();
    job->width = job->height = 8 + i;
    job->batch_size = 4;
    job->batch = 10 * number + i;
    job->deadline = static_cast<GstClockTime>(GST_CLOCK_DIFF(0, stream.now) + until);
    job->inspection = inspection.get();
    inspection->jobs.push_back(std::move(job));
  }
  return inspection;
}

void add(Batcher& batcher, const std::shared_ptr<Inspection>& inspection,
         const std::shared_ptr<Stream>& stream) {
  for (const auto& job : inspection->jobs) batcher.add({{inspection, job.get()}, stream});
}

}  // namespace

START_TEST(an_inspection_that_has_begun_is_carried_through) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  for (guint i = 0; i < 3; ++i) batcher.took(*make_job(0, 4, 8 + i), 1, 50 * GST_MSECOND);
  add(batcher, three_regions(1, *stream, 160 * GST_MSECOND), stream);
  add(batcher, three_regions(2, *stream, 1000 * GST_MSECOND), stream);
  ck_assert(take(batcher) == Numbers({10, 20}));
  // There is time for one of the two that are left of the first, but it gets a result, if late.
  stream->now += 100 * GST_MSECOND;
  ck_assert(take(batcher) == Numbers({11, 21}));
  ck_assert(take(batcher) == Numbers({12}));  // in time again, if alone
  ck_assert(take(batcher) == Numbers({22}));
}
END_TEST

START_TEST(an_inspection_that_would_come_too_late_is_skipped_as_a_whole) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  for (guint i = 0; i < 3; ++i) batcher.took(*make_job(0, 4, 8 + i), 1, 50 * GST_MSECOND);
  // Time for one region or two, but not for three.
  for (guint number : {1, 2})
    add(batcher, three_regions(number, *stream, 120 * GST_MSECOND), stream);
  Numbers skipped;
  ck_assert(take(batcher, &skipped) == Numbers({20}));  // the newest, which comes late
  ck_assert(skipped == Numbers({10, 11, 12}));
  ck_assert(take(batcher) == Numbers({21}));
  ck_assert(take(batcher) == Numbers({22}));
}
END_TEST

START_TEST(the_expected_time_follows_what_batches_take) {
  Batcher batcher;
  const auto stream = std::make_shared<Stream>();
  const auto like = make_job(0);
  batcher.took(*like, 1, 500 * GST_MSECOND);                              // a hiccup
  for (int i = 0; i < 20; ++i) batcher.took(*like, 1, 10 * GST_MSECOND);  // and then as ever
  auto job = make_job(1), newest = make_job(2);
  job->deadline = newest->deadline = stream->now + 50 * GST_MSECOND;
  batcher.add({job, stream});
  batcher.add({newest, stream});
  ck_assert(take(batcher) == Numbers({1, 2}));
}
END_TEST

START_TEST(withdrawing_takes_one_streams_jobs_and_leaves_the_others) {
  Batcher batcher;
  const auto stays = std::make_shared<Stream>(), goes = std::make_shared<Stream>();
  for (guint i = 0; i < 4; ++i) batcher.add({make_job(i), i % 2 ? goes : stays});
  ck_assert(numbers(batcher.withdraw(*goes)) == Numbers({1, 3}));
  ck_assert(take(batcher) == Numbers({0, 2}));
}
END_TEST

int main() {
  Suite* suite = suite_create("batcher");
  TCase* tests = tcase_create("batcher");
  tcase_add_test(tests, what_has_gathered_goes_in_one_batch_in_its_order);
  tcase_add_test(tests, a_batch_is_as_large_as_the_smallest_batch_size_in_it);
  tcase_add_test(tests, a_batch_has_one_shape_and_the_other_comes_next);
  tcase_add_test(tests, streams_take_turns_so_that_a_fast_one_starves_nobody);
  tcase_add_test(tests, a_stream_of_another_shape_has_its_turn_though_it_came_later);
  tcase_add_test(tests, a_job_that_would_come_too_late_is_skipped);
  tcase_add_test(tests, a_batch_is_no_larger_than_its_most_hurried_job_can_wait_for);
  tcase_add_test(tests, a_stream_that_is_always_late_still_gets_its_newest_inferred);
  tcase_add_test(tests, an_inspection_that_has_begun_is_carried_through);
  tcase_add_test(tests, an_inspection_that_would_come_too_late_is_skipped_as_a_whole);
  tcase_add_test(tests, the_expected_time_follows_what_batches_take);
  tcase_add_test(tests, withdrawing_takes_one_streams_jobs_and_leaves_the_others);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
