// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever a detector before the element may have marked: regions in any number and of any size, on
// frames that lie in memory in any way.

#include <gst/video/video.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr guint kSide = 128;

struct Box {
  guint x, y, w, h;
};

GstBuffer* marked(guint index, const std::vector<Box>& boxes, bool defect = false) {
  GstBuffer* frame = make_frame(index, defect);
  for (const Box& box : boxes)
    gst_buffer_add_video_region_of_interest_meta(frame, "part", box.x, box.y, box.w, box.h);
  return frame;
}

std::shared_ptr<GstBuffer> passed(ElementHarness& h, GstBuffer* frame) {
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  return h.pull();
}

/// What a frame's results say of where they looked, in pixels.
std::vector<std::array<long, 4>> places_of(const std::shared_ptr<GstBuffer>& frame) {
  std::vector<std::array<long, 4>> places;
  for (guint i = 0; i < gst_patchcore_meta_get_n_results(frame.get()); ++i) {
    const GstStructure* result = result_of(frame, i);
    if (!gst_structure_has_field(result, "roi-x")) continue;
    const auto pixels = [&](const char* field) {
      return std::lround(number(result, field) * kSide);
    };
    places.push_back({pixels("roi-x"), pixels("roi-y"), pixels("roi-width"), pixels("roi-height")});
  }
  return places;
}

}  // namespace

START_TEST(regions_that_lie_outside_or_are_empty_are_passed_over_and_others_cut_to_the_frame) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "inference-region=roi label=true overlay=both");
  const auto frame = passed(h, marked(20, {{200, 200, 50, 50},            // outside
                                           {10, 10, 0, 0},                // empty
                                           {10, 10, 0, 60},               // without a width
                                           {100, 100, 60, 60},            // reaches beyond
                                           {G_MAXUINT - 5, 0, 30, 30},    // would overflow
                                           {0, 0, G_MAXUINT, G_MAXUINT},  // larger than all
                                           {127, 0, 1, 128},              // a sliver
                                           {32, 32, 48, 40}}));
  const std::vector<std::array<long, 4>> expected{
      {100, 100, 28, 28}, {0, 0, 128, 128}, {32, 32, 48, 40}};
  ck_assert(places_of(frame) == expected);
  for (guint i = 0; i < 3; ++i) ck_assert_double_gt(number(result_of(frame, i), "score"), 0);
}
END_TEST

START_TEST(a_frame_with_nothing_but_bad_regions_passes_with_a_result_of_none) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "inference-region=roi");
  const auto frame = passed(h, marked(20, {{128, 0, 10, 10}, {5, 5, 0, 0}}));
  ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), 1);
  assert_text(state_of(frame), "none");
}
END_TEST

START_TEST(a_hundred_regions_are_each_scored_as_if_it_were_the_only_one) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "inference-region=roi"),
      alone(bank.detect + "inference-region=roi");
  std::vector<Box> boxes;
  for (guint i = 0; i < 100; ++i) boxes.push_back({i % 10 * 8, i / 10 * 8, 40 + i % 7, 40 + i % 5});
  const auto frame = passed(h, marked(20, boxes, true));
  ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), 100);
  const auto places = places_of(frame);
  for (guint i = 0; i < 100; ++i) {
    const std::array<long, 4> expected{boxes[i].x, boxes[i].y, boxes[i].w, boxes[i].h};
    ck_assert(places[i] == expected);
    if (i % 9 != 0) continue;
    const auto one = passed(alone, marked(20, {boxes[i]}, true));
    const double score = number(result_of(one), "score");
    ck_assert_double_eq_tol(number(result_of(frame, i), "score"), score, 1e-5 * score);
  }
}
END_TEST

START_TEST(regions_and_frames_may_change_their_size_at_any_time) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "inference-region=roi label=true");
  const std::vector<Box> boxes[] = {{{0, 0, 128, 128}},
                                    {{3, 5, 17, 90}, {60, 1, 8, 8}},
                                    {{0, 0, 120, 9}},
                                    {{1, 1, 33, 35}, {2, 2, 126, 126}}};
  for (guint i = 0; i < 12; ++i) {
    const auto frame = passed(h, marked(20 + i, boxes[i % 4]));
    ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), boxes[i % 4].size());
    assert_text(state_of(frame), "scored");
  }
  // A frame of another size in between.
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
  GstBuffer* small = gst_buffer_new_allocate(nullptr, 64 * 64, nullptr);
  gst_buffer_memset(small, 0, 90, 64 * 64);
  GST_BUFFER_PTS(small) = 40 * kFrame;
  gst_buffer_add_video_region_of_interest_meta(small, "part", 100, 100, 20, 20);  // of the old size
  gst_buffer_add_video_region_of_interest_meta(small, "part", 8, 8, 40, 40);
  const auto frame = passed(h, small);
  ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), 1);
  ck_assert_double_eq(number(result_of(frame), "roi-x"), 8 / 64.0);
}
END_TEST

START_TEST(frames_of_odd_strides_and_offsets_are_scored_and_painted_as_packed_ones) {
  const FittedBank bank;
  const std::string properties = bank.detect + "overlay=both label=true opacity=1";
  ElementHarness packed(properties), loose(properties);
  const auto expected = passed(packed, make_frame(20, true));
  const std::string wanted = pixels(expected.get());

  constexpr gsize kOffset = 7, kStride = 151;
  const std::string original_bytes = original(20, true);
  std::string bytes(kOffset + kStride * kSide, '\x55');
  for (guint y = 0; y < kSide; ++y)
    bytes.replace(kOffset + y * kStride, kSide, original_bytes, y * kSide, kSide);
  GstBuffer* frame = gst_buffer_new_memdup(bytes.data(), bytes.size());
  GST_BUFFER_PTS(frame) = 20 * kFrame;
  const gsize offsets[GST_VIDEO_MAX_PLANES] = {kOffset};
  const gint strides[GST_VIDEO_MAX_PLANES] = {kStride};
  gst_buffer_add_video_meta_full(frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, kSide,
                                 kSide, 1, const_cast<gsize*>(offsets), const_cast<gint*>(strides));
  const auto out = passed(loose, frame);
  ck_assert_double_eq(number(result_of(out), "score"), number(result_of(expected), "score"));
  // As it lies in memory now: a queue may have packed it.
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, kSide, kSide);
  GstVideoFrame view;
  ck_assert(gst_video_frame_map(&view, &info, out.get(), GST_MAP_READ));
  const auto* data = static_cast<const char*>(GST_VIDEO_FRAME_PLANE_DATA(&view, 0));
  const auto stride = static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(&view, 0));
  for (guint y = 0; y < kSide; ++y)
    ck_assert_mem_eq(data + y * stride, wanted.data() + y * kSide, kSide);
  for (guint y = 0; stride == kStride && y + 1 < kSide; ++y)
    for (gsize x = kSide; x < kStride; ++x) ck_assert_int_eq(data[y * stride + x], '\x55');
  gst_video_frame_unmap(&view);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("regions-of-interest");
  TCase* tests = tcase_create("regions-of-interest");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests,
                 regions_that_lie_outside_or_are_empty_are_passed_over_and_others_cut_to_the_frame);
  tcase_add_test(tests, a_frame_with_nothing_but_bad_regions_passes_with_a_result_of_none);
  tcase_add_test(tests, a_hundred_regions_are_each_scored_as_if_it_were_the_only_one);
  tcase_add_test(tests, regions_and_frames_may_change_their_size_at_any_time);
  tcase_add_test(tests, frames_of_odd_strides_and_offsets_are_scored_and_painted_as_packed_ones);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
