// SPDX-License-Identifier: LGPL-2.1-or-later
// The element with frames in memory:CUDAMemory beside the same frames in the system's: on a GPU, or
// with an emulated driver and emulated kernels, where the network is on the CPU.

#include <gst/cuda/gstcudaloader.h>

#include <cmath>
#include <string_view>

#include "../../gst-plugin/framepainter.hpp"
#include "cuda_station.hpp"

using namespace gstpatchcore;
using namespace cuda_station;

namespace {

constexpr GstVideoFormat kFormats[] = {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,
                                       GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_RGBA,
                                       GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_P010_10LE};

}  // namespace

START_TEST(cuda_memory_is_offered_where_there_is_a_driver) {
  const LearnedBank bank;
  const ElementHarness h(properties(bank.location, ""));
  GstPad* pad = gst_element_get_static_pad(h.element(), "sink");
  GstCaps* caps = gst_pad_query_caps(pad, nullptr);
  GstCaps* cuda = gst_caps_from_string(caps_of(info_of(GST_VIDEO_FORMAT_NV12), true).c_str());
  ck_assert(gst_caps_can_intersect(caps, cuda));
  gst_caps_unref(cuda);
  gst_caps_unref(caps);
  gst_object_unref(pad);
}
END_TEST

START_TEST(frames_score_as_in_the_systems_memory) {
  const LearnedBank bank;
  for (const GstVideoFormat format : kFormats) {
    const GstVideoInfo info = info_of(format);
    Station cuda(info, true, properties(bank.location, "")),
        system(info, false, properties(bank.location, ""));
    for (const guint index : {20u, 21u, 22u}) {
      const bool defect = index == 21;
      const auto ours = cuda.pass(cuda.frame(index, defect)),
                 expected = system.pass(system.frame(index, defect));
      assert_text(state_of(ours), "scored");
      // Levels that are rounded elsewhere move the small scores of normal frames most.
      ck_assert_msg(std::abs(score(ours) - score(expected)) <= 0.02 * score(expected) + 0.002,
                    "%s: %f, not %f", gst_video_format_to_string(format), score(ours),
                    score(expected));
      ck_assert_int_eq(anomalous(ours), defect);
    }
  }
}
END_TEST

START_TEST(a_bank_is_learned_from_frames_in_cuda_memory) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank.safetensors");
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  learn(location, info, true);
  Station station(info, false, properties(location, ""));
  ck_assert(!anomalous(station.pass(station.frame(20, false))));
  ck_assert(anomalous(station.pass(station.frame(21, true))));
}
END_TEST

START_TEST(a_frame_never_touches_the_host) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_RGBA);
  Station station(info, true, properties(bank.location, "overlay=both label=true"));
  BufferPtr frame = station.frame(21, true);
  const EmulatedDriverCounts before = counts();
  const auto out = station.pass(std::move(frame));
  const EmulatedDriverCounts after = counts();
  ck_assert(anomalous(out));
  // The network's input, since the network is on the CPU here; the pictures that were painted.
  ck_assert_uint_eq(after.downloaded - before.downloaded, 3 * 64 * 80);
  ck_assert_uint_lt(after.uploaded - before.uploaded, 2 * 4 * 64 * 80);
  ck_assert_uint_gt(after.uploaded - before.uploaded, 4 * 64 * 80);
  ck_assert(gst_is_cuda_memory(gst_buffer_peek_memory(out.get(), 0)));
}
END_TEST

START_TEST(frames_are_painted_as_in_the_systems_memory) {
  const LearnedBank bank;
  for (const GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,
                                      GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_Y444}) {
    const GstVideoInfo info = info_of(format);
    const std::string overlay = properties(bank.location, "overlay=heatmap label=true");
    Station cuda(info, true, overlay), system(info, false, overlay);
    const BufferPtr original = system_frame(info, 21, true);
    const auto out = cuda.pass(cuda.frame(21, true)),
               expected = system.pass(system.frame(21, true));
    const BufferPtr ours = CudaMemory::download(info, out.get());
    ck_assert_double_gt(Difference(info, ours.get(), original.get()).mean, 1);
    // Where a map's values differ in the third digit, so do the colours.
    const Difference difference(info, ours.get(), expected.get());
    ck_assert_msg(difference.mean < 0.5 && difference.largest < 40, "%s: %f, %d",
                  gst_video_format_to_string(format), difference.mean, difference.largest);
  }
}
END_TEST

START_TEST(pictures_are_painted_as_in_the_systems_memory) {
  ck_assert_ptr_nonnull(open_library(nullptr));
  Picture picture{7, 5, {}};
  for (guint32 i = 0; i < 35; ++i)
    picture.pixels.push_back((i % 3 * 127) << 24 | (i * 2654435761u & 0xffffff));
  const std::vector<PlacedPicture> pictures{{picture, {10.25, 7.5, 120.5, 90}},
                                            {picture, {-3, 100, 40, 60}}};
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_RGBA,
        GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_RGB})
    for (const bool interlaced : {false, true}) {
      const GstVideoInfo info = info_of(format, interlaced);
      const auto painted = [&](GstBuffer* frame, bool cuda) {
        if (interlaced) GST_BUFFER_FLAG_SET(frame, GST_VIDEO_BUFFER_FLAG_INTERLACED);
        GstCaps* caps = gst_caps_from_string(caps_of(info, cuda).c_str());
        ck_assert(FramePainter::make(caps)->paint(frame, pictures));
        gst_caps_unref(caps);
      };
      CudaMemory memory;
      const BufferPtr expected = system_frame(info, 3, false),
                      original = system_frame(info, 3, false),
                      cuda = memory.upload(info, expected.get());
      painted(expected.get(), false);
      painted(cuda.get(), true);
      const BufferPtr ours = CudaMemory::download(info, cuda.get());
      const Difference difference(info, ours.get(), expected.get());
      ck_assert_msg(difference.largest <= 3, "%s: %d", gst_video_format_to_string(format),
                    difference.largest);
      ck_assert_int_gt(Difference(info, ours.get(), original.get()).largest, 50);
    }
}
END_TEST

START_TEST(a_frame_that_somebody_else_has_is_not_painted_for_them) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  Station station(info, true, properties(bank.location, ""));
  BufferPtr frame = station.frame(21, true);
  const BufferPtr theirs(gst_buffer_copy(frame.get()));  // the same memory
  const auto out = station.pass(std::move(frame));
  const BufferPtr ours = CudaMemory::download(info, out.get()),
                  kept = CudaMemory::download(info, theirs.get()),
                  original = system_frame(info, 21, true);
  ck_assert_int_eq(Difference(info, kept.get(), original.get()).largest, 0);
  ck_assert_double_gt(Difference(info, ours.get(), original.get()).mean, 1);
}
END_TEST

START_TEST(regions_of_interest_are_cut_out_on_the_gpu) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  const std::string by_region =
      properties(bank.location, "inference-region=roi roi-type=part overlay=none");
  Station cuda(info, true, by_region), system(info, false, by_region);
  const auto with_regions = [](BufferPtr frame) {
    gst_buffer_add_video_region_of_interest_meta(frame.get(), "part", 3, 5, 71, 63);
    gst_buffer_add_video_region_of_interest_meta(frame.get(), "part", 89, 31, 64, 48);
    return frame;
  };
  const auto ours = cuda.pass(with_regions(cuda.frame(21, true))),
             expected = system.pass(with_regions(system.frame(21, true)));
  for (const guint i : {0u, 1u}) {
    const double mine = number(result_of(ours, i), "score"),
                 theirs = number(result_of(expected, i), "score");
    ck_assert_double_eq_tol(mine, theirs, 0.03 * theirs);
  }
}
END_TEST

START_TEST(of_an_interlaced_frame_the_earlier_field_is_scored) {
  const LearnedBank bank;
  for (const GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGBA})
    for (const bool top : {true, false}) {
      const GstVideoInfo info = info_of(format, /*interlaced=*/true);
      Station cuda(info, true, properties(bank.location, "overlay=none")),
          system(info, false, properties(bank.location, "overlay=none"));
      const auto marked = [&](BufferPtr frame) {
        GST_BUFFER_FLAG_SET(frame.get(), GST_VIDEO_BUFFER_FLAG_INTERLACED);
        if (top) GST_BUFFER_FLAG_SET(frame.get(), GST_VIDEO_BUFFER_FLAG_TFF);
        return frame;
      };
      const auto ours = cuda.pass(marked(cuda.frame(21, true))),
                 expected = system.pass(marked(system.frame(21, true)));
      ck_assert_double_eq_tol(score(ours), score(expected), 0.03 * score(expected));
    }
}
END_TEST

START_TEST(frames_of_several_contexts_may_follow_each_other) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  Station station(info, true, properties(bank.location, ""));
  const double first = score(station.pass(station.frame(21, true)));
  CudaMemory elsewhere;
  const BufferPtr system = system_frame(info, 21, true);
  const double second = score(station.pass(elsewhere.upload(info, system.get())));
  ck_assert_double_eq_tol(second, first, 1e-5 * first);
}
END_TEST

START_TEST(a_frame_that_is_not_in_cuda_memory_is_one_clear_error) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  Station station(info, true, properties(bank.location, ""));
  GstBuffer* frame = system_frame(info, 21, true).release();
  ck_assert_int_eq(gst_harness_push(station.harness().get(), frame), GST_FLOW_ERROR);
  const auto error = station.harness().error(GST_SECOND);
  ck_assert_ptr_nonnull(error.get());
  ck_assert_int_eq(error->domain, GST_STREAM_ERROR);
  ck_assert_ptr_null(station.harness().error().get());
}
END_TEST

START_TEST(planes_that_reach_beyond_their_memory_are_one_clear_error) {
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  const auto damage = {+[](GstVideoMeta* meta) { meta->stride[1] *= 3; },
                       +[](GstVideoMeta* meta) { meta->offset[1] += gsize{kHeight} * 400; },
                       +[](GstVideoMeta* meta) { meta->stride[0] = -meta->stride[0]; }};
  for (const auto& change : damage) {
    Station station(info, true, properties(bank.location, ""));
    BufferPtr frame = station.frame(21, true);
    change(gst_buffer_get_video_meta(frame.get()));
    ck_assert_int_eq(gst_harness_push(station.harness().get(), frame.release()), GST_FLOW_ERROR);
    const auto error = station.harness().error(GST_SECOND);
    ck_assert_ptr_nonnull(error.get());
    ck_assert(error->domain == GST_STREAM_ERROR && error->code == GST_STREAM_ERROR_FORMAT);
  }
}
END_TEST

START_TEST(a_gpu_that_fails_is_one_clear_error) {
  const auto fail = of_driver<decltype(emulated_driver_fail)>("emulated_driver_fail");
  const LearnedBank bank;
  const GstVideoInfo info = info_of(GST_VIDEO_FORMAT_NV12);
  for (const auto& [failure, named] : {std::pair{EmulatedFailure::Allocation, "no memory left"},
                                       {EmulatedFailure::Wait, "can't be read"}}) {
    Station station(info, true, properties(bank.location, ""));
    BufferPtr frame = station.frame(21, true);
    fail(failure);
    const GstFlowReturn flow = gst_harness_push(station.harness().get(), frame.release());
    fail(EmulatedFailure::None);
    ck_assert_int_eq(flow, GST_FLOW_ERROR);
    const auto error = station.harness().error(GST_SECOND);
    ck_assert_ptr_nonnull(error.get());
    ck_assert(error->domain == GST_STREAM_ERROR && error->code == GST_STREAM_ERROR_FAILED);
    ck_assert_msg(std::string(error->message).find(named) != std::string::npos, "%s",
                  error->message);
    ck_assert_ptr_null(station.harness().error().get());
  }
}
END_TEST

START_TEST(memory_goes_back_with_the_element) {
  const LearnedBank bank;
  const size_t before = counts().allocations;
  {
    Station station(info_of(GST_VIDEO_FORMAT_NV12), true,
                    properties(bank.location, "overlay=both label=true"));
    size_t after_some = 0;
    for (guint i = 20; i < 60; ++i) {
      station.pass(station.frame(i, i % 2 == 1));
      if (i == 40) after_some = counts().allocations;
    }
    ck_assert_uint_eq(counts().allocations, after_some);
    ck_assert_uint_gt(after_some, before);
  }
  ck_assert_uint_eq(counts().allocations, before);
}
END_TEST

int main(int argc, char** argv) {
  on_gpu = argc > 1 && std::string_view(argv[1]) == "gpu";
  if (!gst_cuda_load_library()) return skip_suite("there is no CUDA driver");
  Suite* suite = suite_create("cuda-memory");
  TCase* tests = tcase_create("cuda-memory");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, cuda_memory_is_offered_where_there_is_a_driver);
  tcase_add_test(tests, frames_score_as_in_the_systems_memory);
  tcase_add_test(tests, a_bank_is_learned_from_frames_in_cuda_memory);
  tcase_add_test(tests, frames_are_painted_as_in_the_systems_memory);
  tcase_add_test(tests, pictures_are_painted_as_in_the_systems_memory);
  tcase_add_test(tests, a_frame_that_somebody_else_has_is_not_painted_for_them);
  tcase_add_test(tests, regions_of_interest_are_cut_out_on_the_gpu);
  tcase_add_test(tests, of_an_interlaced_frame_the_earlier_field_is_scored);
  tcase_add_test(tests, frames_of_several_contexts_may_follow_each_other);
  tcase_add_test(tests, a_frame_that_is_not_in_cuda_memory_is_one_clear_error);
  tcase_add_test(tests, planes_that_reach_beyond_their_memory_are_one_clear_error);
  if (!on_gpu) {  // a GPU's driver doesn't count, and isn't made to fail
    tcase_add_test(tests, a_frame_never_touches_the_host);
    tcase_add_test(tests, a_gpu_that_fails_is_one_clear_error);
    tcase_add_test(tests, memory_goes_back_with_the_element);
  }
  suite_add_tcase(suite, tests);
  gst_init(&argc, &argv);
  return run_suite(suite);
}
