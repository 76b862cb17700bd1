// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of every size and shape that a camera may have.

#include <gst/video/video.h>

#include <algorithm>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr guint kSide = 128;

std::string caps_of(const std::string& format, guint width, guint height,
                    const std::string& more = "") {
  return "video/x-raw,format=" + format + ",width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + ",framerate=25/1" + more;
}

/// The size of the map of one frame, as "width x height".
std::string map_size(const FittedBank& bank, guint width, guint height, const std::string& aspect) {
  ElementHarness h(bank.detect + "attach-map=true");
  const std::string caps = caps_of("GRAY8", width, height, ",pixel-aspect-ratio=" + aspect);
  gst_harness_set_src_caps_str(h.get(), caps.c_str());
  GstBuffer* frame = gst_buffer_new_allocate(nullptr, gsize{width} * height, nullptr);
  gst_buffer_memset(frame, 0, 100, gsize{width} * height);
  GST_BUFFER_PTS(frame) = 0;
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  const auto out = h.pull();
  const GstPatchCoreMapMeta* map = gst_patchcore_map_meta_get(out.get(), 0);
  ck_assert_ptr_nonnull(map);
  // It covers the frame, whatever shape that has.
  ck_assert_double_eq_tol(map->width, width, 1e-9);
  ck_assert_double_eq_tol(map->height, height, 1e-9);
  return std::to_string(map->map_width) + "x" + std::to_string(map->map_height);
}

/// Rows of two pictures in turn, those of `first` on top.
GstBuffer* woven(const std::string& first, const std::string& second, GstVideoBufferFlags flags) {
  std::string bytes;
  for (guint y = 0; y < kSide; ++y)
    bytes += first.substr(y * kSide, kSide) + second.substr(y * kSide, kSide);
  GstBuffer* frame = gst_buffer_new_memdup(bytes.data(), bytes.size());
  GST_BUFFER_FLAG_SET(frame, flags);
  GST_BUFFER_PTS(frame) = 0;
  return frame;
}

double score_of(ElementHarness& h, GstBuffer* frame) {
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  return number(result_of(h.pull()), "score");
}

}  // namespace

START_TEST(frames_of_every_size_are_scored_and_painted) {
  const FittedBank bank;
  constexpr std::pair<guint, guint> kSizes[] = {{32, 32},   {33, 35},     {64, 33},
                                                {641, 359}, {1919, 1079}, {7680, 4320}};
  for (const auto& [width, height] : kSizes)
    for (const char* format : {"I420", "NV12", "YUY2", "RGB", "BGRx", "GRAY8"}) {
      if (width > 4000 && std::string(format) != "NV12" && std::string(format) != "RGB") continue;
      gsize before = 0, after = 0;
      const Look in = [&](GstBuffer*& buffer) { before = gst_buffer_get_size(buffer); };
      const Look out = [&](GstBuffer*& buffer) {
        after = gst_buffer_get_size(buffer);
        const GstStructure* result = gst_patchcore_meta_get_result(buffer, 0);
        ck_assert_str_eq(gst_structure_get_string(result, "state"), "scored");
        ck_assert_double_gt(number(result, "score"), 0);
      };
      assert_text(run_pipeline("videotestsrc num-buffers=1 ! " + caps_of(format, width, height) +
                                   " ! identity name=begin ! patchcoredetect overlay=both "
                                   "label=true " +
                                   bank.detect + " ! fakesink name=end",
                               nullptr, {{"begin.src", in}, {"end.sink", out}}),
                  "");
      ck_assert_uint_gt(before, 0);
      ck_assert_uint_eq(before, after);
    }
}
END_TEST

START_TEST(the_aspect_is_that_of_the_picture_and_not_of_its_pixels) {
  const FittedBank bank;
  // PAL in 4:3 and 16:9, and anamorphic HDV: as the same pictures in square pixels.
  ck_assert(map_size(bank, 720, 576, "1/1") != map_size(bank, 768, 576, "1/1"));
  assert_text(map_size(bank, 720, 576, "16/15"), map_size(bank, 768, 576, "1/1"));
  assert_text(map_size(bank, 720, 576, "64/45"), map_size(bank, 1024, 576, "1/1"));
  assert_text(map_size(bank, 1440, 1080, "4/3"), map_size(bank, 1920, 1080, "1/1"));
}
END_TEST

START_TEST(of_an_interlaced_frame_the_earlier_field_is_scored) {
  const FittedBank bank;
  const std::string good = original(20, false), bad = original(20, true);
  // What a field is by itself: a picture of pixels that are twice as high as wide.
  const auto alone = [&](bool defect) {
    ElementHarness h(bank.detect);
    gst_harness_set_src_caps_str(h.get(),
                                 caps_of("GRAY8", kSide, kSide, ",pixel-aspect-ratio=1/2").c_str());
    return score_of(h, make_frame(20, defect));
  };
  const double good_score = alone(false), bad_score = alone(true);
  ck_assert_double_gt(bad_score, good_score);
  const auto interlaced = [&](const std::string& top, const std::string& bottom, guint flags) {
    ElementHarness h(bank.detect);
    gst_harness_set_src_caps_str(
        h.get(), caps_of("GRAY8", kSide, 2 * kSide, ",interlace-mode=mixed").c_str());
    return score_of(h, woven(top, bottom, static_cast<GstVideoBufferFlags>(flags)));
  };
  constexpr guint kBottomFirst = GST_VIDEO_BUFFER_FLAG_INTERLACED,
                  kTopFirst = kBottomFirst | GST_VIDEO_BUFFER_FLAG_TFF;
  ck_assert_double_eq_tol(interlaced(good, bad, kTopFirst), good_score, 1e-9);
  ck_assert_double_eq_tol(interlaced(bad, good, kTopFirst), bad_score, 1e-9);
  ck_assert_double_eq_tol(interlaced(bad, good, kBottomFirst), good_score, 1e-9);
  ck_assert_double_eq_tol(interlaced(good, bad, kBottomFirst), bad_score, 1e-9);
  // A frame of mixed video that is progressive is looked at whole.
  ck_assert_double_gt(interlaced(good, bad, 0), good_score);
}
END_TEST

START_TEST(a_large_frame_is_learnt_and_scored_in_tiles) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("tiles.safetensors");
  fit_bank(bank, 12, "tile-size=64 tile-overlap=16");
  gchar* content;
  gsize length;
  ck_assert(g_file_get_contents(bank.c_str(), &content, &length, nullptr));
  const std::string head(content, std::min<gsize>(length, 100000));
  g_free(content);
  ck_assert(head.find("\"tile_size\":\"64\"") != std::string::npos);
  ck_assert(head.find("\"tile_overlap\":\"16\"") != std::string::npos);
  ElementHarness h("attach-map=true bank-location=" + bank);
  for (const bool defect : {false, true}) {
    ck_assert_int_eq(h.push(20, defect), GST_FLOW_OK);
    const auto frame = h.pull();
    ck_assert_int_eq(anomalous(frame), defect);
    const GstPatchCoreMapMeta* map = gst_patchcore_map_meta_get(frame.get(), 0);
    ck_assert_uint_eq(map->map_width, kSide);
    ck_assert_uint_eq(map->map_height, kSide);
    if (!defect) continue;
    // The square lies at 88..104, 48..64.
    ck_assert_double_eq_tol(number(result_of(frame), "peak-x") * kSide, 96, 16);
    ck_assert_double_eq_tol(number(result_of(frame), "peak-y") * kSide, 56, 16);
  }
}
END_TEST

START_TEST(tiles_that_can_not_be_are_told_when_it_starts) {
  const TemporaryFolder folder;
  for (const char* tiles : {"tile-size=41", "tile-size=64 tile-overlap=64"}) {
    ElementHarness h("mode=fit input-size=128 bank-location=" + folder.file("x") + " " + tiles);
    ck_assert(!h.started());
    const auto error = h.error();
    ck_assert_ptr_nonnull(error.get());
    ck_assert_msg(g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS),
                  "%s: %s", tiles, error->message);
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("formats");
  TCase* tests = tcase_create("formats");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, frames_of_every_size_are_scored_and_painted);
  tcase_add_test(tests, the_aspect_is_that_of_the_picture_and_not_of_its_pixels);
  tcase_add_test(tests, of_an_interlaced_frame_the_earlier_field_is_scored);
  tcase_add_test(tests, a_large_frame_is_learnt_and_scored_in_tiles);
  tcase_add_test(tests, tiles_that_can_not_be_are_told_when_it_starts);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
