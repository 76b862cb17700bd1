// SPDX-License-Identifier: LGPL-2.1-or-later
// The element in a process that has a LibTorch already: another one is refused before it is mixed
// with ours, the same one is shared.
#include <dlfcn.h>
#include <link.h>
#include <sys/stat.h>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace fs = std::filesystem;

namespace {

const std::string kOurs = LIBTORCH_LIB_DIR;
const std::string kVersion = LIBTORCH_VERSION;

/// A folder laid out as a torch package is.
struct Installation {
  Installation() {
    fs::create_directories(lib);
    // LibTorch's libraries look for CUDA's beside their package.
    fs::create_symlink(kOurs + "/../../nvidia", folder / "nvidia");
  }
  /// A library with nothing in it.
  std::string stand_in(const std::string& name) {
    fs::copy_file(STAND_IN_LIBRARY, lib / name);
    return lib / name;
  }
  /// Our libc10 and libtorch_cpu. The first is a copy, so another file to the linker; what is
  /// appended to it doesn't change what it does.
  std::string copy_of_ours(const std::string& appended = "") {
    fs::copy_file(kOurs + "/libc10.so", lib / "libc10.so");
    std::ofstream(lib / "libc10.so", std::ios::binary | std::ios::app) << appended;
    fs::create_symlink(kOurs + "/libtorch_cpu.so", lib / "libtorch_cpu.so");
    return lib / "libtorch_cpu.so";
  }
  void say_version(const std::string& version) {
    write_file(package / "version.py",
               "__all__ = ['__version__']\n__version__ = '" + version + "'\n");
  }

  TemporaryFolder folder;
  fs::path package = folder / "torch", lib = package / "lib";
};

void load(const std::string& file) {
  ck_assert_msg(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL), "%s", dlerror());
}

/// The files of this name that are in this process.
std::vector<fs::path> loaded(const char* name) {
  std::vector<fs::path> files;
  const auto note = [](dl_phdr_info* info, size_t, void* found) {
    static_cast<std::vector<fs::path>*>(found)->emplace_back(info->dlpi_name);
    return 0;
  };
  dl_iterate_phdr(note, &files);
  std::erase_if(files, [&](const fs::path& file) { return file.filename() != name; });
  return files;
}

void assert_loaded_once_from(const fs::path& folder) {
  for (const char* name : {"libc10.so", "libtorch_cpu.so"}) {
    const auto files = loaded(name);
    ck_assert_uint_eq(files.size(), 1);
    ck_assert_msg(fs::equivalent(files[0].parent_path(), folder), "%s", files[0].c_str());
  }
}

void assert_contains(const std::string& text, const std::string& part) {
  ck_assert_msg(text.find(part) != std::string::npos, "\"%s\" isn't in: %s", part.c_str(),
                text.c_str());
}

using Element = std::unique_ptr<GstElement, decltype(&gst_object_unref)>;

Element make_element() {
  Element element(gst_element_factory_make("patchcoredetect", nullptr), gst_object_unref);
  ck_assert_ptr_nonnull(element.get());
  return element;
}

/// Tries to bring an element to READY, which must fail. Returns what the bus says of it.
std::string refusal() {
  const Element element = make_element();
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(element.get(), bus);
  ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  ck_assert_int_eq(GST_STATE(element.get()), GST_STATE_NULL);

  GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  ck_assert_ptr_nonnull(message);
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  ck_assert(g_error_matches(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT));
  const std::string text = error->message;
  g_error_free(error);
  gst_message_unref(message);
  gst_element_set_bus(element.get(), nullptr);
  gst_object_unref(bus);
  ck_assert_uint_eq(loaded("libpatchcore.so.0").size(), 0);
  return text;
}

void assert_fits_and_scores() {
  TemporaryFolder folder;
  const std::string location = folder.file("bank.safetensors");
  fit_bank(location);
  ElementHarness h("bank-location=" + location);
  ck_assert(h.started());
  h.push(100);
  const auto frame = h.pull();
  ck_assert_ptr_nonnull(frame.get());
  const GstStructure* result = gst_patchcore_meta_get_result(frame.get(), 0);
  assert_text(gst_structure_get_string(result, "state"), "scored");
}

struct Ended {
  int status;
  std::string output;
};

/// Runs a program with one more variable of the environment.
/// value: goes before what the variable has, but a sanitizer's library must stay the first to load.
Ended run(const std::string& command, const std::string& variable, const std::string& value) {
  const char* had = g_getenv(variable.c_str());
  const std::string others = had ? had : "";
  const std::string all = variable == "LD_PRELOAD" ? others + ":" + value : value + ":" + others;
  char** environment = g_environ_setenv(g_get_environ(), variable.c_str(), all.c_str(), TRUE);
  char** words = nullptr;
  ck_assert(g_shell_parse_argv(command.c_str(), nullptr, &words, nullptr));
  char *out = nullptr, *err = nullptr;
  int status = -1;
  ck_assert(g_spawn_sync(nullptr, words, environment, G_SPAWN_SEARCH_PATH, nullptr, nullptr, &out,
                         &err, &status, nullptr));
  const Ended ended{status, std::string(out) + err};
  g_free(out);
  g_free(err);
  g_strfreev(words);
  g_strfreev(environment);
  return ended;
}

}  // namespace

START_TEST(another_version_is_refused_and_both_are_named) {
  Installation other;
  other.say_version("2.4.0+cu121");
  const std::string file = other.stand_in("libtorch_cpu.so");
  load(file);
  const std::string text = refusal();
  assert_contains(text, "LibTorch 2.4.0+cu121 is in this process already: " + file);
  assert_contains(text, "LibTorch " + kVersion + ": " + kOurs + "/libtorch_cpu.so");
  assert_contains(
      text, "torch " + kVersion + ", or build patchcore with -Dlibtorch=" + other.package.string());
}
END_TEST

START_TEST(a_release_whose_name_begins_like_ours_is_another) {
  Installation other;
  other.say_version(kVersion + "1");
  load(other.stand_in("libc10.so"));
  assert_contains(refusal(), "LibTorch " + kVersion + "1 is in this process already");
}
END_TEST

START_TEST(the_build_version_of_libtorch_s_zip_is_read) {
  Installation other;
  write_file(other.package / "build-version", "2.4.0+cpu\n");
  load(other.stand_in("libtorch_cpu.so"));
  assert_contains(refusal(), "LibTorch 2.4.0+cpu is in this process already");
}
END_TEST

START_TEST(the_version_is_found_where_a_link_leads) {
  Installation other;
  other.say_version("2.4.0");
  const fs::path link = other.folder / "libtorch_cpu.so";
  fs::create_symlink(other.stand_in("libtorch_cpu.so"), link);
  load(link);
  assert_contains(refusal(), "LibTorch 2.4.0 is in this process already: " + link.string());
}
END_TEST

START_TEST(one_that_does_not_tell_its_version_is_refused) {
  Installation other;
  const std::string file = other.stand_in("libtorch_cpu.so");
  load(file);
  assert_contains(refusal(), "LibTorch of unknown version is in this process already: " + file);
}
END_TEST

START_TEST(a_version_file_that_is_none_tells_no_version) {
  Installation other;
  load(other.stand_in("libtorch_cpu.so"));
  const std::string assigned = "__version__ = '", line = assigned + kVersion + "'\n";
  for (const std::string& text : {
           std::string(), std::string("__version__ = "), assigned,
           assigned + kVersion,                                 // no end
           assigned + kVersion + "\n'",                         // the end is on another line
           assigned + kVersion + std::string(1, '\0') + "'\n",  // a NUL
           assigned + kVersion + "+" + std::string(1 << 20, '1') + "'\n", assigned + "%s%s%s%n'\n",
           "x" + line, "__version__ = str('" + kVersion + "')\n",
           "#" + std::string(5000, ' ') + "\n" + line,  // too far down
       }) {
    write_file(other.package / "version.py", text);
    assert_contains(refusal(), "LibTorch of unknown version");
  }
}
END_TEST

START_TEST(a_version_file_is_not_waited_for) {
  Installation other;
  load(other.stand_in("libtorch_cpu.so"));
  ck_assert_int_eq(mkfifo((other.package / "version.py").c_str(), 0600), 0);
  fs::create_directory(other.package / "build-version");
  assert_contains(refusal(), "LibTorch of unknown version");
}
END_TEST

START_TEST(one_that_was_renamed_is_refused_whatever_its_version) {
  Installation other;
  other.say_version(kVersion);
  const std::string file = other.stand_in("libtorch_cpu-1a2b3c4d.so");
  load(file);
  assert_contains(refusal(), "under a name that can't be shared: " + file);
}
END_TEST

START_TEST(half_of_another_installation_is_refused_though_of_our_version) {
  Installation other;
  other.say_version(kVersion);
  other.copy_of_ours("x");
  load(other.lib / "libc10.so");
  assert_contains(refusal(), "A part of another LibTorch");
}
END_TEST

START_TEST(another_one_does_not_hinder_a_registry_scan) {
  Installation other;
  other.say_version("2.4.0");
  g_setenv("GST_REGISTRY", other.folder.file("registry.bin").c_str(), TRUE);
  const auto [status, output] =
      run("gst-inspect-1.0 patchcoredetect", "LD_PRELOAD", other.stand_in("libtorch_cpu.so"));
  ck_assert_msg(status == 0, "%s", output.c_str());
  assert_contains(output, "PatchCore anomaly detection");
}
END_TEST

START_TEST(another_one_that_the_linker_was_led_to_is_refused) {
  Installation other;
  other.say_version("2.4.0");
  other.copy_of_ours("x");
  const auto [status, output] =
      run("gst-launch-1.0 videotestsrc ! patchcoredetect ! fakesink", "LD_LIBRARY_PATH", other.lib);
  ck_assert_int_ne(status, 0);
  assert_contains(output, "LibTorch 2.4.0 is in this process already: " + other.lib.string());
}
END_TEST

START_TEST(our_own_files_are_shared) {
  load(kOurs + "/libtorch_cpu.so");
  assert_fits_and_scores();
  assert_loaded_once_from(kOurs);
}
END_TEST

START_TEST(our_own_files_are_shared_through_a_link) {
  TemporaryFolder folder;
  fs::create_directory_symlink(kOurs, folder / "link");
  load(folder / "link" / "libtorch_cpu.so");
  assert_fits_and_scores();
  assert_loaded_once_from(kOurs);
}
END_TEST

START_TEST(our_own_file_is_shared_under_another_name) {
  Installation other;
  fs::create_symlink(kOurs + "/libtorch_cpu.so", other.lib / "libtorch_cpu.so.2");
  load(kOurs + "/libc10.so");
  load(other.lib / "libtorch_cpu.so.2");
  assert_fits_and_scores();
  ck_assert_uint_eq(loaded("libtorch_cpu.so").size(), 0);
}
END_TEST

START_TEST(another_installation_of_our_version_is_shared) {
  Installation other;
  other.say_version(kVersion + "+another.build");
  load(other.copy_of_ours("x"));
  assert_fits_and_scores();
  assert_loaded_once_from(other.lib);
}
END_TEST

START_TEST(a_copy_that_tells_no_version_is_shared_only_while_equal) {
  Installation other;
  load(other.copy_of_ours());
  std::ofstream(other.lib / "libc10.so", std::ios::binary | std::ios::app) << "x";
  assert_contains(refusal(), "LibTorch of unknown version");
  fs::resize_file(other.lib / "libc10.so", fs::file_size(kOurs + "/libc10.so"));
  assert_fits_and_scores();
  assert_loaded_once_from(other.lib);
}
END_TEST

START_TEST(libpatchcore_is_opened_at_ready_and_never_unloaded) {
  Element element = make_element();
  ck_assert_uint_eq(loaded("libpatchcore.so.0").size(), 0);
  ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  element.reset();
  ck_assert_uint_eq(loaded("libpatchcore.so.0").size(), 1);
  assert_loaded_once_from(kOurs);
  assert_fits_and_scores();
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("libtorch");
  TCase* refused = tcase_create("refused");
  tcase_set_timeout(refused, 60);
  tcase_add_test(refused, another_version_is_refused_and_both_are_named);
  tcase_add_test(refused, a_release_whose_name_begins_like_ours_is_another);
  tcase_add_test(refused, the_build_version_of_libtorch_s_zip_is_read);
  tcase_add_test(refused, the_version_is_found_where_a_link_leads);
  tcase_add_test(refused, one_that_does_not_tell_its_version_is_refused);
  tcase_add_test(refused, a_version_file_that_is_none_tells_no_version);
  tcase_add_test(refused, a_version_file_is_not_waited_for);
  tcase_add_test(refused, one_that_was_renamed_is_refused_whatever_its_version);
  tcase_add_test(refused, half_of_another_installation_is_refused_though_of_our_version);
  tcase_add_test(refused, another_one_does_not_hinder_a_registry_scan);
  tcase_add_test(refused, another_one_that_the_linker_was_led_to_is_refused);
  suite_add_tcase(suite, refused);
  TCase* shared = tcase_create("shared");
  tcase_set_timeout(shared, 120);
  tcase_add_test(shared, our_own_files_are_shared);
  tcase_add_test(shared, our_own_files_are_shared_through_a_link);
  tcase_add_test(shared, our_own_file_is_shared_under_another_name);
  tcase_add_test(shared, another_installation_of_our_version_is_shared);
  tcase_add_test(shared, a_copy_that_tells_no_version_is_shared_only_while_equal);
  tcase_add_test(shared, libpatchcore_is_opened_at_ready_and_never_unloaded);
  suite_add_tcase(suite, shared);
  return run_suite(suite);
}
