// SPDX-License-Identifier: LGPL-2.1-or-later
// GstPatchCoreMapMeta on its way through other elements: the rectangle is right, or the map is
// gone.

#include <gst/video/video.h>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "map_in_c.h"

namespace {

struct Rectangle {
  double x, y, width, height;
};

/// What all frames carry: 3 x 2 values that cover the middle of a frame of 320 x 180.
constexpr Rectangle kCovers{40, 20, 200, 100};
constexpr gfloat kValues[] = {0.5f, 1, 1.5f, 2, 2.5f, 3};

const GstMetaInfo* map_info() { return gst_meta_get_info(GST_PATCHCORE_MAP_META_NAME); }

/// buffer: writable.
void attach(GstBuffer* buffer, guint result, GBytes* values) {
  auto* map =
      reinterpret_cast<GstPatchCoreMapMeta*>(gst_buffer_add_meta(buffer, map_info(), nullptr));
  map->result = result;
  map->map = g_bytes_ref(values);
  map->map_width = 3;
  map->map_height = 2;
  map->x = kCovers.x;
  map->y = kCovers.y;
  map->width = kCovers.width;
  map->height = kCovers.height;
}

void load_plugin() {
  GstPlugin* plugin = gst_plugin_load_by_name("patchcore");
  ck_assert_ptr_nonnull(plugin);
  gst_object_unref(plugin);
}

/// Runs 320 x 180 frames with a map through `elements` into an element named `end`, and looks at
/// what comes to it.
void pass_through(const std::string& elements, const std::function<void(GstBuffer*)>& look) {
  load_plugin();
  GBytes* values = g_bytes_new_static(kValues, sizeof kValues);
  Look attach_it = [&](GstBuffer*& buffer) {
    buffer = gst_buffer_make_writable(buffer);
    attach(buffer, 0, values);
  };
  guint seen = 0;
  Look look_and_count = [&](GstBuffer*& buffer) {
    ++seen;
    look(buffer);
  };
  const std::string line =
      "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=180,framerate=25/1 ! "
      "identity name=start ! " +
      elements;
  assert_text(run_pipeline(line, nullptr, {{"start.src", attach_it}, {"end.sink", look_and_count}}),
              "");
  g_bytes_unref(values);
  ck_assert_uint_eq(seen, 3);
}

void check_map(const GstPatchCoreMapMeta* map, const Rectangle& covers) {
  ck_assert_ptr_nonnull(map);
  ck_assert_uint_eq(map->map_width, 3);
  ck_assert_uint_eq(map->map_height, 2);
  ck_assert_float_eq(last_value(map), 3);
  ck_assert_double_eq(map->x, covers.x);
  ck_assert_double_eq(map->y, covers.y);
  ck_assert_double_eq(map->width, covers.width);
  ck_assert_double_eq(map->height, covers.height);
}

void arrives_with(const std::string& elements, const Rectangle& covers) {
  pass_through(elements, [&](GstBuffer* buffer) { check_map(map_of(buffer, 0), covers); });
}

void arrives_without(const std::string& elements) {
  pass_through(elements, [&](GstBuffer* buffer) {
    ck_assert_ptr_null(map_of(buffer, 0));
    ck_assert_ptr_null(gst_buffer_get_meta(buffer, map_info()->api));
  });
}

}  // namespace

START_TEST(a_map_passes_what_leaves_the_geometry_alone) {
  arrives_with("tee name=t t. ! queue ! fakesink t. ! queue ! fakesink name=end", kCovers);
  arrives_with("videoconvert ! video/x-raw,format=RGB ! fakesink name=end", kCovers);
  arrives_with("videorate ! videobalance contrast=0.5 ! fakesink name=end", kCovers);
}
END_TEST

START_TEST(scaling_moves_the_rectangle_along) {
  arrives_with("videoscale ! video/x-raw,width=160,height=90 ! fakesink name=end",
               {20, 10, 100, 50});
  arrives_with("videoscale ! video/x-raw,width=480,height=270 ! fakesink name=end",
               {60, 30, 300, 150});
  // Pixels that aren't square keep the shape of the display: nothing but the width changes.
  arrives_with("videoscale ! video/x-raw,width=640,height=180 ! fakesink name=end",
               {80, 20, 400, 100});
  // Back to where it was.
  arrives_with(
      "videoscale ! video/x-raw,width=160,height=90 ! videoscale ! "
      "video/x-raw,width=320,height=180 ! fakesink name=end",
      kCovers);
}
END_TEST

START_TEST(a_scaled_size_that_is_rounded_to_pixels_keeps_the_map) {
  // 16:9 has 479.8 rows at a width of 853.
  pass_through(
      "videoscale ! video/x-raw,width=853,height=480,pixel-aspect-ratio=1/1 ! fakesink name=end",
      [](GstBuffer* buffer) {
        const GstPatchCoreMapMeta* map = map_of(buffer, 0);
        ck_assert_ptr_nonnull(map);
        ck_assert_double_eq_tol(map->width, 200 * 853 / 320.0, 1e-9);
        ck_assert_double_eq_tol(map->height, 100 * 480 / 180.0, 1e-9);
      });
}
END_TEST

START_TEST(scaling_with_borders_loses_the_map) {
  arrives_without(
      "videoscale ! video/x-raw,width=320,height=320,pixel-aspect-ratio=1/1 ! fakesink name=end");
  arrives_without(
      "videoscale ! video/x-raw,width=640,height=180,pixel-aspect-ratio=1/1 ! fakesink name=end");
}
END_TEST

START_TEST(cropping_loses_the_map) {
  arrives_without("videocrop left=16 ! fakesink name=end");
  arrives_without("aspectratiocrop aspect-ratio=1/1 ! fakesink name=end");
  arrives_without("videobox top=10 ! fakesink name=end");
}
END_TEST

START_TEST(a_crop_that_is_only_noted_on_the_buffer_loses_the_map) {
  // The first videocrop leaves the frame alone, since the second one reads GstVideoCropMeta.
  pass_through("videocrop left=16 ! videocrop name=end right=16 ! fakesink", [](GstBuffer* buffer) {
    ck_assert_ptr_nonnull(gst_buffer_get_video_crop_meta(buffer));
    ck_assert_ptr_null(map_of(buffer, 0));
  });
  arrives_without("videocrop left=16 ! videocrop right=16 ! fakesink name=end");
}
END_TEST

START_TEST(flipping_loses_the_map) {
  arrives_without("videoflip video-direction=horiz ! fakesink name=end");
  arrives_without("videoflip video-direction=90r ! fakesink name=end");
}
END_TEST

START_TEST(encoding_and_decoding_keep_the_map) {
  arrives_with("vp8enc deadline=1 ! vp8dec ! fakesink name=end", kCovers);
  arrives_with("theoraenc ! theoradec ! fakesink name=end", kCovers);
  arrives_with("jpegenc ! jpegdec ! fakesink name=end", kCovers);
}
END_TEST

START_TEST(rtp_payloading_loses_the_map) {
  arrives_without("vp8enc deadline=1 ! rtpvp8pay ! rtpvp8depay ! vp8dec ! fakesink name=end");
  arrives_without("jpegenc ! rtpjpegpay ! rtpjpegdepay ! jpegdec ! fakesink name=end");
  arrives_without("rtpvrawpay ! rtpvrawdepay ! fakesink name=end");
}
END_TEST

START_TEST(copies_of_a_frame_share_its_map_and_the_last_one_frees_it) {
  load_plugin();
  bool freed = false;
  GBytes* values = g_bytes_new_with_free_func(
      kValues, sizeof kValues, [](gpointer flag) { *static_cast<bool*>(flag) = true; }, &freed);
  GstBuffer* frame = gst_buffer_new_allocate(nullptr, 64, nullptr);
  attach(frame, 0, values);
  g_bytes_unref(values);
  GstBuffer* copy = gst_buffer_copy(frame);
  GstBuffer* deep = gst_buffer_copy_deep(frame);
  gst_buffer_unref(frame);
  for (GstBuffer* one : {copy, deep}) {
    ck_assert(!freed);
    check_map(map_of(one, 0), kCovers);
    ck_assert_ptr_eq(map_of(one, 0)->map, values);
    gst_buffer_unref(one);
  }
  ck_assert(freed);
}
END_TEST

START_TEST(a_copy_of_a_part_of_a_frame_has_no_map) {
  load_plugin();
  GBytes* values = g_bytes_new_static(kValues, sizeof kValues);
  GstBuffer* frame = gst_buffer_new_allocate(nullptr, 64, nullptr);
  attach(frame, 0, values);
  GstBuffer* part = gst_buffer_copy_region(frame, GST_BUFFER_COPY_ALL, 0, 32);
  ck_assert_ptr_null(map_of(part, 0));
  gst_buffer_unref(part);
  gst_buffer_unref(frame);
  g_bytes_unref(values);
}
END_TEST

START_TEST(a_map_is_found_by_the_result_that_it_belongs_to) {
  load_plugin();
  GBytes* values = g_bytes_new_static(kValues, sizeof kValues);
  GstBuffer* frame = gst_buffer_new();
  attach(frame, 2, values);
  attach(frame, 0, values);
  ck_assert_uint_eq(map_of(frame, 0)->result, 0);
  ck_assert_ptr_null(map_of(frame, 1));
  ck_assert_uint_eq(map_of(frame, 2)->result, 2);
  gst_buffer_unref(frame);
  g_bytes_unref(values);
}
END_TEST

START_TEST(a_program_without_the_plugin_reads_no_map) {
  ck_assert_ptr_null(map_info());
  GstBuffer* frame = gst_buffer_new();
  ck_assert_ptr_null(map_of(frame, 0));
  gst_buffer_unref(frame);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("map-meta");
  TCase* tests = tcase_create("map-meta");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_map_passes_what_leaves_the_geometry_alone);
  tcase_add_test(tests, scaling_moves_the_rectangle_along);
  tcase_add_test(tests, a_scaled_size_that_is_rounded_to_pixels_keeps_the_map);
  tcase_add_test(tests, scaling_with_borders_loses_the_map);
  tcase_add_test(tests, cropping_loses_the_map);
  tcase_add_test(tests, a_crop_that_is_only_noted_on_the_buffer_loses_the_map);
  tcase_add_test(tests, flipping_loses_the_map);
  tcase_add_test(tests, encoding_and_decoding_keep_the_map);
  tcase_add_test(tests, rtp_payloading_loses_the_map);
  tcase_add_test(tests, copies_of_a_frame_share_its_map_and_the_last_one_frees_it);
  tcase_add_test(tests, a_copy_of_a_part_of_a_frame_has_no_map);
  tcase_add_test(tests, a_map_is_found_by_the_result_that_it_belongs_to);
  tcase_add_test(tests, a_program_without_the_plugin_reads_no_map);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
