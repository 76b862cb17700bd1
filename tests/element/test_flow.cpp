// SPDX-License-Identifier: LGPL-2.1-or-later
// What downstream answers, and what becomes of the stream: ends, errors, links that come and go.

#include <semaphore>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "linked_element.hpp"

using namespace gstpatchcore;

namespace {

/// Answers each buffer in the sink's stead, for as long as this lives.
class Downstream {
 public:
  using Answer = std::function<GstFlowReturn()>;

  Downstream(ElementHarness& h, Answer answer)
      : pad_(gst_pad_get_peer(h.get()->sinkpad)), answer_(std::move(answer)) {
    id_ = gst_pad_add_probe(
        pad_, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          const GstFlowReturn flow = static_cast<Downstream*>(data)->answer_();
          if (flow == GST_FLOW_OK) return GST_PAD_PROBE_OK;
          gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
          GST_PAD_PROBE_INFO_FLOW_RETURN(info) = flow;
          return GST_PAD_PROBE_HANDLED;
        },
        this, nullptr);
  }
  ~Downstream() {
    gst_pad_remove_probe(pad_, id_);
    gst_object_unref(pad_);
  }
  Downstream(const Downstream&) = delete;
  Downstream& operator=(const Downstream&) = delete;

 private:
  GstPad* pad_;
  gulong id_;
  Answer answer_;
};

/// Waits until the src pad's task has come to its end.
void wait_for_end(ElementHarness& h) {
  GstPad* pad = gst_pad_get_peer(h.get()->sinkpad);
  while (gst_pad_get_task_state(pad) == GST_TASK_STARTED) g_thread_yield();
  gst_object_unref(pad);
}

/// Waits for an error of the stream and makes sure that it is the only one.
void expect_one_error(ElementHarness& h) {
  const auto error = h.error(60 * GST_SECOND);
  ck_assert_ptr_nonnull(error.get());
  ck_assert_int_eq(error->domain, GST_STREAM_ERROR);
  ck_assert_int_eq(error->code, GST_STREAM_ERROR_FAILED);
  ck_assert_ptr_null(h.error().get());
}

std::string caps_of(GstPad* pad) {
  GstCaps* caps = gst_pad_get_current_caps(pad);
  ck_assert_ptr_nonnull(caps);
  gchar* text = gst_caps_to_string(caps);
  const std::string all = text;
  g_free(text);
  gst_caps_unref(caps);
  return all;
}

}  // namespace

START_TEST(a_bad_flow_after_eos_came_in_is_told_on_the_bus_and_eos_leaves) {
  for (const GstFlowReturn flow : {GST_FLOW_NOT_LINKED, GST_FLOW_NOT_NEGOTIATED}) {
    FittedBank bank;
    ElementHarness h(bank.detect);
    const Downstream downstream(h, [flow] { return flow; });
    auto busy = std::make_unique<BusyEngine>();
    h.push(0);
    push_event(h, gst_event_new_eos());
    busy.reset();
    expect_one_error(h);
    bool ended = false;
    while (!ended) {
      GstEvent* event = gst_harness_pull_event(h.get());
      ck_assert_ptr_nonnull(event);
      ended = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
      gst_event_unref(event);
    }
  }
}
END_TEST

START_TEST(a_bad_flow_after_the_last_frame_is_told_when_eos_comes) {
  for (const GstFlowReturn flow : {GST_FLOW_NOT_LINKED, GST_FLOW_NOT_NEGOTIATED}) {
    FittedBank bank;
    ElementHarness h(bank.detect);
    const Downstream downstream(h, [flow] { return flow; });
    auto busy = std::make_unique<BusyEngine>();
    ck_assert_int_eq(h.push(0), GST_FLOW_OK);
    busy.reset();
    wait_for_end(h);
    gst_harness_push_event(h.get(), gst_event_new_eos());
    expect_one_error(h);
  }
}
END_TEST

START_TEST(a_bad_flow_that_upstream_was_told_is_no_error_at_eos) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  const Downstream downstream(h, [] { return GST_FLOW_NOT_LINKED; });
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; flow == GST_FLOW_OK; ++i) flow = h.push(i);
  ck_assert_int_eq(flow, GST_FLOW_NOT_LINKED);
  ck_assert(!gst_harness_push_event(h.get(), gst_event_new_eos()));
  ck_assert_ptr_null(h.error().get());
}
END_TEST

START_TEST(frames_flow_again_when_downstream_is_linked_again) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  GstFlowReturn flow = GST_FLOW_OK;
  guint index = 0;
  {
    const Downstream downstream(h, [] { return GST_FLOW_NOT_LINKED; });
    while (flow == GST_FLOW_OK) flow = h.push(index++);
    ck_assert_int_eq(flow, GST_FLOW_NOT_LINKED);
    // What changes meanwhile is known to whoever is linked then.
    gst_harness_set_src_caps_str(h.get(),
                                 "video/x-raw,format=GRAY8,width=128,height=128,framerate=5/1");
  }
  // As gst_pad_link() does.
  gst_harness_push_upstream_event(h.get(), gst_event_new_reconfigure());
  ck_assert_int_eq(h.push(index), GST_FLOW_OK);
  const auto frame = h.pull();
  ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), index * kFrame);
  assert_text(state_of(frame), "scored");
  ck_assert_ptr_nonnull(strstr(caps_of(h.get()->sinkpad).c_str(), "5/1"));
}
END_TEST

START_TEST(what_a_stream_is_survives_a_flush_while_it_waits_behind_a_frame) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  auto busy = std::make_unique<BusyEngine>();
  h.push(0);
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=GRAY8,width=128,height=128,framerate=5/1");
  for (const char* title : {"first", "second"})
    push_event(h, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, title, nullptr)));
  push_event(h, gst_event_new_flush_start());
  push_event(h, gst_event_new_flush_stop(TRUE));
  push_segment(h);
  h.push(1);
  busy.reset();
  ck_assert_uint_eq(GST_BUFFER_PTS(h.pull().get()), kFrame);
  ck_assert_ptr_nonnull(strstr(caps_of(h.get()->sinkpad).c_str(), "5/1"));
  GstEvent* event = gst_pad_get_sticky_event(h.get()->sinkpad, GST_EVENT_TAG, 0);
  ck_assert_ptr_nonnull(event);
  GstTagList* tags = nullptr;
  gst_event_parse_tag(event, &tags);
  gchar* title = nullptr;
  ck_assert(gst_tag_list_get_string(tags, GST_TAG_TITLE, &title));
  assert_text(std::string(title), "second");
  g_free(title);
  gst_event_unref(event);
}
END_TEST

START_TEST(a_segment_that_came_in_before_downstream_s_eos_is_played) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  std::binary_semaphore pushed{0}, answer{0};
  int frames = 0;
  const Downstream downstream(h, [&] {
    if (++frames > 1) return GST_FLOW_OK;
    pushed.release();
    answer.acquire();
    return GST_FLOW_EOS;
  });
  h.push(0);
  pushed.acquire();
  push_segment(h);
  h.push(1);
  answer.release();
  const auto frame = h.pull();
  ck_assert_ptr_nonnull(frame.get());
  ck_assert_uint_eq(GST_BUFFER_PTS(frame.get()), kFrame);
  ck_assert_int_eq(h.push(2), GST_FLOW_OK);
}
END_TEST

START_TEST(a_job_that_fails_fails_alone_in_its_batch) {
  FittedBank bank;  // opens libpatchcore
  BusyEngine busy;
  struct Told : Listener {
    GstClockTimeDiff time_left(const Job&) const override { return G_MAXINT64; }
    void job_done(Job&) override { done.release(); }
    std::counting_semaphore<3> done{0};
  };
  const auto told = std::make_shared<Told>();
  std::vector<std::shared_ptr<Job>> jobs;
  std::vector<Batcher::Entry> entries;
  for (int i = 0; i < 3; ++i) {
    auto job = busy.job();
    job->batch_size = 3;
    if (i == 1) job->fit = {};  // for nobody: libpatchcore refuses the batch that it is in
    entries.push_back({job, told});
    jobs.push_back(std::move(job));
  }
  busy.engine().submit(std::move(entries));
  busy.release();
  for (int i = 0; i < 3; ++i) told->done.acquire();
  for (int i = 0; i < 3; ++i) {
    ck_assert_uint_eq(jobs[i]->batched, 3);
    ck_assert_int_eq(static_cast<bool>(jobs[i]->error), i == 1);
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  register_linked_element();
  Suite* suite = suite_create("flow");
  TCase* tests = tcase_create("flow");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_bad_flow_after_eos_came_in_is_told_on_the_bus_and_eos_leaves);
  tcase_add_test(tests, a_bad_flow_after_the_last_frame_is_told_when_eos_comes);
  tcase_add_test(tests, a_bad_flow_that_upstream_was_told_is_no_error_at_eos);
  tcase_add_test(tests, frames_flow_again_when_downstream_is_linked_again);
  tcase_add_test(tests, what_a_stream_is_survives_a_flush_while_it_waits_behind_a_frame);
  tcase_add_test(tests, a_segment_that_came_in_before_downstream_s_eos_is_played);
  tcase_add_test(tests, a_job_that_fails_fails_alone_in_its_batch);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
