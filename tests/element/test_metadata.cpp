// SPDX-License-Identifier: LGPL-2.1-or-later
// GstPatchCoreMeta on its way through other elements, and others' metadata on theirs through ours.

#include <gst/video/video.h>

#include <algorithm>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

std::string patchcoredetect(const FittedBank& bank) {
  return "patchcoredetect name=patchcore " + bank.detect;
}

constexpr const char* kSource =
    "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=160,height=128,framerate=25/1 ! ";

double score_of(GstBuffer* buffer) {
  const GstStructure* result = gst_patchcore_meta_get_result(buffer, 0);
  double score = -1;
  ck_assert(result && gst_structure_get_double(result, "score", &score));
  return score;
}

/// Do results reach the end of these elements as they left ours?
void results_cross(const std::string& elements) {
  const FittedBank bank;
  std::vector<double> left, arrived;
  const Look leave = [&](GstBuffer*& buffer) { left.push_back(score_of(buffer)); };
  const Look arrive = [&](GstBuffer*& buffer) {
    arrived.push_back(score_of(buffer));
    ck_assert_uint_eq(
        gst_buffer_get_n_meta(buffer, gst_meta_get_info(GST_PATCHCORE_META_NAME)->api), 1);
  };
  const std::string line =
      kSource + patchcoredetect(bank) + "! " + elements + " ! fakesink name=end";
  assert_text(run_pipeline(line, nullptr, {{"patchcore.src", leave}, {"end.sink", arrive}}), "");
  ck_assert_uint_eq(left.size(), 5);
  ck_assert_msg(arrived == left, "%s: %zu arrived", elements.c_str(), arrived.size());
}

void add_custom_meta(GstBuffer* buffer, const char* name, int value) {
  const gchar* no_tags[] = {nullptr};
  if (!gst_meta_get_info(name)) gst_meta_register_custom(name, no_tags, nullptr, nullptr, nullptr);
  GstCustomMeta* meta = gst_buffer_add_custom_meta(buffer, name);
  gst_structure_set(gst_custom_meta_get_structure(meta), "value", G_TYPE_INT, value, nullptr);
}

/// As a camera and two analysers may have left it.
void add_what_others_add(GstBuffer* buffer) {
  add_custom_meta(buffer, "SomebodysMeta", 7);
  gst_video_region_of_interest_meta_add_param(
      gst_buffer_add_video_region_of_interest_meta(buffer, "face", 1, 2, 3, 4),
      gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, nullptr));
  GstCaps* caps = gst_caps_from_string("timestamp/x-ntp");
  gst_buffer_add_reference_timestamp_meta(buffer, caps, 123, 456);
  gst_caps_unref(caps);
  gst_buffer_add_video_time_code_meta_full(buffer, 25, 1, nullptr, GST_VIDEO_TIME_CODE_FLAGS_NONE,
                                           10, 11, 12, 13, 0);
  gst_buffer_add_video_region_of_interest_meta(buffer, "car", 5, 6, 7, 8);
}

std::string content(const GstVideoRegionOfInterestMeta& roi) {
  return std::string(g_quark_to_string(roi.roi_type)) + " " + std::to_string(roi.x) + " " +
         std::to_string(roi.y) + " " + std::to_string(roi.w) + " " + std::to_string(roi.h) + " " +
         std::to_string(g_list_length(roi.params));
}

std::string content(const GstVideoTimeCodeMeta& meta) {
  gchar* code = gst_video_time_code_to_string(&meta.tc);
  const std::string text = code;
  g_free(code);
  return text;
}

std::string content(GstCustomMeta& meta) {
  const GstStructure* structure = gst_custom_meta_get_structure(&meta);
  int value = 0;
  gst_structure_get_int(structure, "value", &value);
  return std::string(gst_structure_get_name(structure)) + " " + std::to_string(value);
}

std::string content(GstMeta* meta) {
  if (gst_meta_info_is_custom(meta->info)) return content(*reinterpret_cast<GstCustomMeta*>(meta));
  if (meta->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
    return content(*reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta));
  if (meta->info->api == GST_VIDEO_TIME_CODE_META_API_TYPE)
    return content(*reinterpret_cast<GstVideoTimeCodeMeta*>(meta));
  if (meta->info->api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
    return std::to_string(reinterpret_cast<GstReferenceTimestampMeta*>(meta)->timestamp);
  return g_type_name(meta->info->api);
}

/// All that a buffer carries, in its order.
std::vector<std::string> contents(GstBuffer* buffer) {
  std::vector<std::string> texts;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta(buffer, &state)) texts.push_back(content(meta));
  return texts;
}

}  // namespace

START_TEST(what_others_left_on_a_frame_passes_in_its_order_with_the_result_behind_it) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "region-meta=none");
  const std::vector<std::string> theirs = {"SomebodysMeta 7", "face 1 2 3 4 1", "123",
                                           "10:11:12:13", "car 5 6 7 8 0"};
  std::vector<std::string> with_result = theirs;
  with_result.push_back(std::string(GST_PATCHCORE_META_NAME) + " 0");
  // An anomalous frame is painted; one that somebody else holds, too, is copied for that.
  for (const bool defect : {false, true}) {
    for (const bool held : {false, true}) {
      GstBuffer* frame = make_frame(100, defect);
      add_what_others_add(frame);
      ck_assert(contents(frame) == theirs);
      if (held) gst_buffer_ref(frame);
      ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
      ck_assert(contents(h.pull().get()) == with_result);
      if (held) ck_assert(contents(frame) == theirs);
      if (held) gst_buffer_unref(frame);
    }
  }
}
END_TEST

START_TEST(a_result_crosses_encoder_and_decoder) {
  results_cross("vp8enc deadline=1 ! vp8dec");
  results_cross("theoraenc ! theoradec");
  results_cross("jpegenc ! jpegdec");
}
END_TEST

START_TEST(a_result_crosses_rtp_within_the_process) {
  results_cross("vp8enc deadline=1 ! rtpvp8pay ! rtpvp8depay ! vp8dec");
  results_cross("jpegenc ! rtpjpegpay ! rtpjpegdepay ! jpegdec");
  // A frame in several packets comes out with its result once.
  results_cross("jpegenc quality=100 ! rtpjpegpay mtu=200 ! rtpjpegdepay ! jpegdec");
}
END_TEST

START_TEST(a_result_crosses_scaling_cropping_and_flipping) {
  results_cross("videoscale ! video/x-raw,width=80,height=64");
  results_cross("videocrop left=16 ! videoflip video-direction=90r");
}
END_TEST

START_TEST(a_network_is_crossed_by_frames_alone) {
  const FittedBank bank;
  guint left = 0, arrived = 0;
  const Look leave = [&](GstBuffer*& buffer) { left += gst_patchcore_meta_get_n_results(buffer); };
  const Look arrive = [&](GstBuffer*& buffer) {
    ++arrived;
    ck_assert_uint_eq(gst_patchcore_meta_get_n_results(buffer), 0);
  };
  // All of 127/8 is loopback: an address that is this process's own needs no free port.
  const unsigned pid = static_cast<unsigned>(getpid());
  const std::string address = "127." + std::to_string(pid >> 16 & 0xff) + "." +
                              std::to_string(pid >> 8 & 0xff) + "." + std::to_string(pid & 0xff);
  // Every frame is a key frame and twice as many are sent as are waited for.
  const std::string line =
      "videotestsrc is-live=true num-buffers=20 ! "
      "video/x-raw,format=I420,width=160,height=128,framerate=25/1 ! " +
      patchcoredetect(bank) +
      "! vp8enc deadline=1 keyframe-max-dist=1 ! rtpvp8pay ! udpsink host=" + address +
      " port=5004 async=false udpsrc address=" + address +
      " port=5004 caps=application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000 ! "
      "rtpvp8depay ! vp8dec ! fakesink name=end num-buffers=10 async=false";
  assert_text(run_pipeline(line, nullptr, {{"patchcore.src", leave}, {"end.sink", arrive}}), "");
  ck_assert_uint_eq(left, 20);
  ck_assert_uint_ge(arrived, 10);
}
END_TEST

START_TEST(attach_map_puts_the_map_of_the_frame_on_it) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "attach-map=true");
  h.push(100, /*defect=*/true);
  const auto frame = h.pull();
  const GstPatchCoreMapMeta* meta = gst_patchcore_map_meta_get(frame.get(), 0);
  ck_assert_ptr_nonnull(meta);
  ck_assert_uint_eq(meta->result, 0);
  ck_assert_double_eq(meta->width, 128);
  ck_assert_double_eq(meta->height, 128);
  gsize bytes = 0;
  const auto* values = static_cast<const gfloat*>(g_bytes_get_data(meta->map, &bytes));
  ck_assert_uint_eq(bytes, sizeof(gfloat) * meta->map_width * meta->map_height);
  // Its largest value lies where make_frame paints the defect: x 88..103, y 48..63.
  const auto peak = static_cast<guint>(std::max_element(values, values + bytes / 4) - values);
  ck_assert_double_eq_tol(peak % meta->map_width * 128.0 / meta->map_width, 96, 24);
  ck_assert_double_eq_tol(peak / meta->map_width * 128.0 / meta->map_height, 56, 24);
}
END_TEST

START_TEST(a_map_covers_what_the_crop_left_of_the_frame_and_stale_frames_have_it_too) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank");
  fit_bank(location, 12, "crop=64");  // of 128
  ElementHarness h("attach-map=true inference-interval=2 bank-location=" + location);
  for (guint i = 0; i < 2; ++i) h.push(i);
  for (const char* state : {"scored", "stale"}) {
    const auto frame = h.pull();
    assert_text(state_of(frame), state);
    const auto* map = gst_patchcore_map_meta_get(frame.get(), 0);
    ck_assert_ptr_nonnull(map);
    ck_assert_uint_eq(map->map_width, 64);
    for (const double offset : {map->x, map->y}) ck_assert_double_eq(offset, 32);
    for (const double side : {map->width, map->height}) ck_assert_double_eq(side, 64);
  }
}
END_TEST

START_TEST(a_result_says_of_which_version_its_fields_are) {
  const FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(0);
  const auto frame = h.pull();
  int version = 0;
  ck_assert(gst_structure_get_int(result_of(frame), "version", &version));
  ck_assert_int_eq(version, GST_PATCHCORE_META_VERSION);
}
END_TEST

START_TEST(a_map_is_attached_only_where_it_is_asked_for) {
  const FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(100, true);
  ck_assert_ptr_null(gst_patchcore_map_meta_get(h.pull().get(), 0));
}
END_TEST

START_TEST(an_anomalous_frame_has_its_regions_as_regions_of_interest_and_others_have_none) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "region-meta=roi");
  h.push(2, true);
  h.push(3, false);  // one that was learnt
  const auto frame = h.pull();
  const auto* roi = gst_buffer_get_video_region_of_interest_meta_id(frame.get(), 0);
  gpointer state = nullptr;
  if (!roi)
    roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(gst_buffer_iterate_meta_filtered(
        frame.get(), &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  ck_assert_ptr_nonnull(roi);
  assert_text(g_quark_to_string(roi->roi_type), "anomaly");
  ck_assert_uint_le(roi->x, 96);
  ck_assert_uint_ge(roi->x + roi->w, 96);
  ck_assert_uint_le(roi->y, 56);
  ck_assert_uint_ge(roi->y + roi->h, 56);
  const auto normal = h.pull();
  ck_assert_ptr_null(gst_buffer_get_meta(normal.get(), GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
}
END_TEST

namespace {

/// A frame with the regions of interest "part" on its left and right half, and a "person".
GstBuffer* frame_with_parts(guint index, bool defect) {
  GstBuffer* frame = make_frame(index, defect);
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 0, 32, 64, 64);
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 64, 32, 64, 64);
  gst_buffer_add_video_region_of_interest_meta(frame, "person", 0, 0, 16, 16);
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 500, 0, 16, 16);  // outside
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 0, 0, 128, 1);    // a sliver
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 9, 9, 0, 0);      // empty
  return frame;
}

}  // namespace

START_TEST(each_region_of_interest_is_fitted_and_scored_by_itself) {
  TemporaryFolder folder;
  const std::string parts =
      "inference-region=roi roi-type=part input-size=64 bank-location=" + folder.file("bank");
  ElementHarness fit("mode=fit " + parts);
  for (guint i = 0; i < 12; ++i) gst_harness_push(fit.get(), frame_with_parts(i, false));
  fit.end();
  ElementHarness h(parts + " region-meta=none attach-map=true");
  gst_harness_push(h.get(), frame_with_parts(100, true));
  const auto frame = h.pull();
  ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), 2);
  for (guint i = 0; i < 2; ++i) {
    const GstStructure* result = result_of(frame, i);
    const auto* map = gst_patchcore_map_meta_get(frame.get(), i);
    ck_assert_ptr_nonnull(map);
    ck_assert_double_eq(map->x, i * 64.0);
    ck_assert_double_eq(map->y, 32);
    ck_assert_double_eq(map->width, 64);
    assert_text(text(result, "roi-type"), "part");
    ck_assert_double_eq(number(result, "roi-x"), i * 0.5);
    ck_assert_double_eq(number(result, "roi-y"), 0.25);
    ck_assert_double_eq(number(result, "roi-width"), 0.5);
    gboolean anomalous = FALSE;
    ck_assert(gst_structure_get_boolean(result, "anomalous", &anomalous));
    ck_assert_int_eq(anomalous, i == 1);  // the defect is on the right
  }
  // Its peak is told in the frame, not in the region.
  ck_assert_double_eq_tol(number(result_of(frame, 1), "peak-x"), 96.0 / 128, 12.0 / 128);
}
END_TEST

START_TEST(a_frame_without_a_region_of_interest_is_none_to_an_element_that_looks_at_them) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "inference-region=roi");
  h.push(100, true);
  const auto frame = h.pull();
  ck_assert_uint_eq(gst_patchcore_meta_get_n_results(frame.get()), 1);
  assert_text(state_of(frame), "none");
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("metadata");
  TCase* tests = tcase_create("metadata");
  tcase_set_timeout(tests, 200);
  tcase_add_test(tests, what_others_left_on_a_frame_passes_in_its_order_with_the_result_behind_it);
  tcase_add_test(tests, a_result_crosses_encoder_and_decoder);
  tcase_add_test(tests, attach_map_puts_the_map_of_the_frame_on_it);
  tcase_add_test(tests, a_map_covers_what_the_crop_left_of_the_frame_and_stale_frames_have_it_too);
  tcase_add_test(tests, a_result_says_of_which_version_its_fields_are);
  tcase_add_test(tests, a_map_is_attached_only_where_it_is_asked_for);
  tcase_add_test(tests,
                 an_anomalous_frame_has_its_regions_as_regions_of_interest_and_others_have_none);
  tcase_add_test(tests, each_region_of_interest_is_fitted_and_scored_by_itself);
  tcase_add_test(tests,
                 a_frame_without_a_region_of_interest_is_none_to_an_element_that_looks_at_them);
  tcase_add_test(tests, a_result_crosses_rtp_within_the_process);
  tcase_add_test(tests, a_result_crosses_scaling_cropping_and_flipping);
  tcase_add_test(tests, a_network_is_crossed_by_frames_alone);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
