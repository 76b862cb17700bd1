// SPDX-License-Identifier: LGPL-2.1-or-later
// What patchcoredetect can't use ends in one error of the right domain that names the file, and a
// bank that is there stays as it was.

#include <dlfcn.h>

#include <cstdio>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "../small_disk.hpp"

namespace {

/// Starts the element and expects exactly one error, of this domain and code, naming `file`.
void expect_error(const std::string& properties, GQuark domain, gint code,
                  const std::string& file) {
  ElementHarness h(properties);
  ck_assert(!h.started());
  const auto error = h.error();
  ck_assert_ptr_nonnull(error.get());
  ck_assert_msg(error->domain == domain && error->code == code, "got %s %d: %s",
                g_quark_to_string(error->domain), error->code, error->message);
  ck_assert_msg(std::string(error->message).find(file) != std::string::npos, "%s doesn't name %s",
                error->message, file.c_str());
  ck_assert_ptr_null(h.error().get());
}

/// The same with a bank that holds `bytes`, in modes detect and auto; the file stays as it is.
void expect_refused_bank(const std::string& bytes) {
  TemporaryFolder folder;
  const std::string bank = folder.file("bank.safetensors");
  write_file(bank, bytes);
  for (const char* mode : {"detect", "auto"})
    expect_error(std::string("mode=") + mode + " bank-location=" + bank, GST_RESOURCE_ERROR,
                 GST_RESOURCE_ERROR_OPEN_READ, bank);
  ck_assert(read_file(bank) == bytes);
}

std::string good_bank() {
  TemporaryFolder folder;
  fit_bank(folder.file("bank.safetensors"));
  return read_file(folder.file("bank.safetensors"));
}

}  // namespace

START_TEST(no_bank_location) {
  for (const char* mode : {"detect", "fit", "auto"})
    expect_error(std::string("mode=") + mode, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                 "bank-location");
}
END_TEST

START_TEST(a_bank_that_is_not_there) {
  TemporaryFolder folder;
  const std::string bank = folder.file("nowhere.safetensors");
  expect_error("bank-location=" + bank, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, bank);
}
END_TEST

START_TEST(a_truncated_bank) {
  const std::string bank = good_bank();
  expect_refused_bank(bank.substr(0, bank.size() / 2));
}
END_TEST

START_TEST(an_empty_bank) { expect_refused_bank(""); }
END_TEST

START_TEST(a_foreign_file_as_bank) {
  expect_refused_bank("\x89PNG\r\n\x1a\n and so on, nothing that a bank begins with");
}
END_TEST

START_TEST(a_safetensors_file_that_is_no_bank) {
  const std::string header = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  expect_refused_bank(bytes + header + "x");
}
END_TEST

START_TEST(a_bank_of_another_network) {
  // The same length, so that the file stays well-formed: only the weights' SHA-256 differs.
  std::string bytes = good_bank();
  const std::string key = "\"weights_id\":\"";
  const auto at = bytes.find(key) + key.size();
  const std::string id = bytes.substr(at, 64), other(64, '0');
  ck_assert(id.find_first_not_of("0123456789abcdef") == std::string::npos);
  bytes.replace(at, id.size(), other);
  TemporaryFolder folder;
  const std::string bank = folder.file("bank.safetensors");
  write_file(bank, bytes);
  for (const std::string& named : {id, other, bank})
    expect_error("bank-location=" + bank, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, named);
  ck_assert(read_file(bank) == bytes);
}
END_TEST

START_TEST(weights_that_are_not_there) {
  TemporaryFolder folder;
  const std::string weights = folder.file("nowhere.safetensors");
  expect_error("mode=fit backbone=resnet18 weights-location=" + weights +
                   " bank-location=" + folder.file("bank"),
               GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, weights);
}
END_TEST

START_TEST(weights_that_are_none) {
  TemporaryFolder folder;
  const std::string weights = folder.file("weights.safetensors");
  write_file(weights, "no weights");
  expect_error("mode=fit backbone=resnet18 weights-location=" + weights +
                   " bank-location=" + folder.file("bank"),
               GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, weights);
}
END_TEST

START_TEST(a_backbone_that_needs_weights_and_gets_none) {
  TemporaryFolder folder;
  expect_error("mode=fit backbone=resnet18 bank-location=" + folder.file("bank"),
               GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "resnet18");
}
END_TEST

START_TEST(a_folder_that_the_bank_cannot_be_written_to) {
  // A path below a file can't be written by root either.
  TemporaryFolder folder;
  write_file(folder.file("file"), "");
  const std::string bank = folder.file("file") + "/bank.safetensors";
  for (const char* mode : {"fit", "auto"})
    expect_error(std::string("mode=") + mode + " bank-location=" + bank, GST_RESOURCE_ERROR,
                 GST_RESOURCE_ERROR_WRITE, bank);
}
END_TEST

START_TEST(a_bank_location_that_is_no_file) {
  TemporaryFolder folder;
  for (const char* mode : {"fit", "auto"})
    expect_error(std::string("mode=") + mode + " bank-location=" + folder.path().string(),
                 GST_RESOURCE_ERROR,
                 g_str_equal(mode, "fit") ? GST_RESOURCE_ERROR_WRITE : GST_RESOURCE_ERROR_OPEN_READ,
                 folder.path().string());
}
END_TEST

START_TEST(a_device_that_is_not_there) {
  TemporaryFolder folder;
  expect_error("mode=fit device=cuda:99 bank-location=" + folder.file("bank"), GST_LIBRARY_ERROR,
               GST_LIBRARY_ERROR_INIT, "CUDA");
  expect_error("mode=fit device=toaster bank-location=" + folder.file("bank"), GST_RESOURCE_ERROR,
               GST_RESOURCE_ERROR_SETTINGS, "toaster");
}
END_TEST

START_TEST(sizes_that_make_no_sense) {
  TemporaryFolder folder;
  expect_error("mode=fit input-size=64 crop=128 bank-location=" + folder.file("bank"),
               GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "128x128");
  expect_error("mode=fit input-size=8 bank-location=" + folder.file("bank"), GST_RESOURCE_ERROR,
               GST_RESOURCE_ERROR_SETTINGS, "8 is not between");
}
END_TEST

START_TEST(a_fit_without_a_frame) {
  TemporaryFolder folder;
  const std::string bank = folder.file("bank.safetensors");
  write_file(bank, "what was there before");
  ElementHarness h("mode=fit bank-location=" + bank);
  gst_harness_push_event(h.get(), gst_event_new_eos());
  const auto error = h.error(60 * GST_SECOND);
  ck_assert_ptr_nonnull(error.get());
  assert_text(g_quark_to_string(error->domain), "gst-stream-error-quark");
  ck_assert(std::string(error->message).find(bank) != std::string::npos);
  ck_assert(read_file(bank) == "what was there before");
}
END_TEST

/// A path to search for libraries.
static std::string before_others(const TemporaryFolder& folder) {
  const char* others = g_getenv("LD_LIBRARY_PATH");
  return folder.path().string() + ":" + (others ? others : "");
}

START_TEST(a_libtorch_that_cannot_be_loaded) {
  // Found before the real one, and no library: as a broken installation has it. The test forks, so
  // the variable is this test's own, and the loader reads it in the child that is started.
  TemporaryFolder folder;
  write_file(folder.file("libtorch_cpu.so"), "not a library");
  const std::string command =
      "env LD_LIBRARY_PATH=" + before_others(folder) +
      " gst-launch-1.0 videotestsrc num-buffers=1 ! patchcoredetect mode=fit bank-location=" +
      folder.file("bank") + " ! fakesink";
  gchar *out = nullptr, *err = nullptr;
  gint status = 0;
  ck_assert(g_spawn_command_line_sync(command.c_str(), &out, &err, &status, nullptr));
  const std::string said = std::string(out) + err;
  g_free(out);
  g_free(err);
  ck_assert_int_ne(status, 0);
  ck_assert_msg(said.find("libtorch_cpu.so") != std::string::npos, "%s", said.c_str());
  ck_assert_msg(said.find("can't be loaded") != std::string::npos, "%s", said.c_str());
}
END_TEST

START_TEST(gst_inspect_works_without_libtorch) {
  TemporaryFolder folder;
  write_file(folder.file("libtorch_cpu.so"), "not a library");
  const std::string command = "env LD_LIBRARY_PATH=" + before_others(folder) +
                              " GST_REGISTRY=" + folder.file("registry.bin") +
                              " gst-inspect-1.0 patchcoredetect";
  gchar* out = nullptr;
  gint status = -1;
  ck_assert(g_spawn_command_line_sync(command.c_str(), &out, nullptr, &status, nullptr));
  ck_assert_int_eq(status, 0);
  ck_assert(std::string(out).find("Filter/Analyzer/Video") != std::string::npos);
  g_free(out);
}
END_TEST

START_TEST(absurd_values_of_properties_are_lived_with) {
  TemporaryFolder folder;
  const std::string location = folder.file("bank");
  fit_bank(location);
  ElementHarness h(
      "bank-location=" + location +
      " realtime=yes max-latency=3600000000000 max-queued=4096 history-bytes=18446744073709551615 "
      "inference-interval=2147483647 alarm-frames=2147483647 alarm-hysteresis=1 threshold=1 "
      "raw-threshold=1.7e308 opacity=0 camera-id=\"\" roi-type=\"\"");
  ck_assert(h.started());
  ck_assert_uint_eq(gst_harness_query_latency(h.get()), 3600 * GST_SECOND);
  for (guint i = 0; i < 3; ++i) ck_assert_int_eq(h.push(i, true), GST_FLOW_OK);
  const auto frame = h.pull();
  assert_text(state_of(frame), "scored");
  ck_assert(!anomalous(frame));
}
END_TEST

START_TEST(a_disk_that_runs_full_while_the_bank_is_saved) {
  TemporaryFolder folder;
  const SmallDisk disk(folder, "size=32k");
  ElementHarness h("mode=fit input-size=128 bank-location=" + folder.file("bank"));
  for (guint i = 0; i < 8; ++i) h.push(i);
  gst_harness_push_event(h.get(), gst_event_new_eos());
  const auto error = h.error(60 * GST_SECOND);
  ck_assert_ptr_nonnull(error.get());
  ck_assert(g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT));
  ck_assert_ptr_nonnull(strstr(error->message, folder.file("bank").c_str()));
  ck_assert(folder.names().empty());
}
END_TEST

START_TEST(a_disk_that_runs_full_while_save_bank_is_at_work_stops_nothing) {
  FittedBank bank;
  TemporaryFolder folder;
  const SmallDisk disk(folder, "size=32k");
  write_file(folder / "bank", "what was there");
  ElementHarness h(bank.detect);
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "save-bank", folder.file("bank").c_str(), &accepted);
  ck_assert(accepted);
  GstMessage* warning = gst_bus_timed_pop_filtered(h.bus(), 60 * GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert_ptr_nonnull(warning);
  GError* error = nullptr;
  gst_message_parse_warning(warning, &error, nullptr);
  ck_assert(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT));
  g_error_free(error);
  gst_message_unref(warning);
  ck_assert(read_file(folder / "bank") == "what was there");
  h.push(0);
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

/// The caps that the element takes on its sink pad.
std::string offered(GstElement* element) {
  GstPad* pad = gst_element_get_static_pad(element, "sink");
  GstCaps* caps = gst_pad_query_caps(pad, nullptr);
  gchar* text = gst_caps_to_string(caps);
  const std::string result = text;
  g_free(text);
  gst_caps_unref(caps);
  gst_object_unref(pad);
  return result;
}

START_TEST(frames_in_cuda_memory_without_a_driver) {
  const FittedBank bank;
  ElementHarness h(bank.detect);
  ck_assert_uint_eq(offered(h.element()).find("CUDAMemory"), std::string::npos);
  gst_harness_set_src_caps_str(
      h.get(), "video/x-raw(memory:CUDAMemory),format=NV12,width=64,height=64,framerate=25/1");
  ck_assert_int_eq(h.push(0), GST_FLOW_NOT_NEGOTIATED);
  const auto error = h.error(GST_SECOND);
  ck_assert_ptr_nonnull(error.get());
  ck_assert(error->domain == GST_STREAM_ERROR && error->code == GST_STREAM_ERROR_FORMAT);
  for (const char* part : {"CUDA memory", "no CUDA driver", "cudadownload"})
    ck_assert_msg(std::string(error->message).find(part) != std::string::npos, "%s doesn't name %s",
                  error->message, part);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("bad input");
  TCase* tests = tcase_create("bad input");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, no_bank_location);
  tcase_add_test(tests, a_bank_that_is_not_there);
  tcase_add_test(tests, a_truncated_bank);
  tcase_add_test(tests, an_empty_bank);
  tcase_add_test(tests, a_foreign_file_as_bank);
  tcase_add_test(tests, a_safetensors_file_that_is_no_bank);
  tcase_add_test(tests, a_bank_of_another_network);
  tcase_add_test(tests, weights_that_are_not_there);
  tcase_add_test(tests, weights_that_are_none);
  tcase_add_test(tests, a_backbone_that_needs_weights_and_gets_none);
  tcase_add_test(tests, a_folder_that_the_bank_cannot_be_written_to);
  tcase_add_test(tests, a_bank_location_that_is_no_file);
  tcase_add_test(tests, a_device_that_is_not_there);
  tcase_add_test(tests, sizes_that_make_no_sense);
  tcase_add_test(tests, a_fit_without_a_frame);
  tcase_add_test(tests, a_libtorch_that_cannot_be_loaded);
  tcase_add_test(tests, gst_inspect_works_without_libtorch);
  tcase_add_test(tests, absurd_values_of_properties_are_lived_with);
  if (!dlopen("libcuda.so.1", RTLD_LAZY))  // where one is they are taken: test-cuda-memory
    tcase_add_test(tests, frames_in_cuda_memory_without_a_driver);
  if (const int reason = why_no_disk()) {
    std::printf("# no file system can be mounted here: %s\n", g_strerror(reason));
  } else {
    tcase_add_test(tests, a_disk_that_runs_full_while_the_bank_is_saved);
    tcase_add_test(tests, a_disk_that_runs_full_while_save_bank_is_at_work_stops_nothing);
  }
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
