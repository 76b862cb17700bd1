// SPDX-License-Identifier: LGPL-2.1-or-later
// What the commands say to bad files: an exit status and one line that names the file. What was
// there before is not changed.
#include <unistd.h>

#include <cstring>
#include <limits>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;
namespace fs = std::filesystem;

namespace {

constexpr int kFailed = 1;

std::string bank() { return shared("bank.safetensors"); }
std::string none() { return shared("none.safetensors"); }

Run score(const std::string& bank, const std::string& images) {
  return run({"score", "--bank", bank, "--images", images});
}

Run fit(const std::string& images, const std::string& output, const Arguments& more = {}) {
  return run(join(join({"fit", "--images", images, "--output", output}, kFit), more));
}

Run fit_resnet(const std::string& weights) {
  return fit(shared("train"), none(), {"--backbone", "resnet18", "--weights", weights});
}

Run import(const std::string& embeddings, const std::string& output) {
  return run(
      {"bank", "import", "--embeddings", embeddings, "--backbone", "builtin", "--output", output});
}

/// A folder of a good image and one of the given bytes, which comes first.
fs::path images_with(const std::string& name, const std::string& bytes) {
  const fs::path images = fresh();
  cv::imwrite(images / "z-good.png", stripes(1));
  write_file(images / name, bytes);
  return images;
}

/// The first half of an image file.
std::string half_of(const std::string& extension) {
  std::vector<uchar> bytes;
  cv::imencode(extension, stripes(1), bytes);
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2)};
}

/// A file of one tensor with the given number of zeros a row.
fs::path embeddings(const std::string& name, const std::string& type, std::vector<int> shape) {
  const fs::path file = fresh() / "embeddings.safetensors";
  size_t bytes = 4;
  for (const int side : shape) bytes *= static_cast<size_t>(side);
  write_tensor(file, name, type, shape, std::string(bytes, '\0'));
  return file;
}

void assert_image_refused(const fs::path& images, const std::string& name) {
  assert_refused(score(bank(), images), kFailed, images / name);
  assert_refused(fit(images, none()), kFailed, images / name);
}

START_TEST(an_empty_image_is_named) { assert_image_refused(images_with("a.png", ""), "a.png"); }
END_TEST

START_TEST(a_png_that_is_cut_off_is_named) {
  assert_image_refused(images_with("a.png", half_of(".png")), "a.png");
}
END_TEST

START_TEST(a_jpeg_that_is_cut_off_is_named) {
  assert_image_refused(images_with("a.jpg", half_of(".jpg")), "a.jpg");
}
END_TEST

START_TEST(a_text_named_as_an_image_is_named) {
  assert_image_refused(images_with("a.tif", "no image"), "a.tif");
}
END_TEST

START_TEST(a_link_to_nowhere_is_named) {
  const fs::path images = images_with("notes.txt", "");
  fs::create_symlink("gone.png", images / "a.png");
  assert_image_refused(images, "a.png");
}
END_TEST

START_TEST(a_folder_without_images_is_named) {
  const fs::path empty = fresh();
  assert_refused(score(bank(), empty), kFailed, empty);
  assert_refused(fit(empty, none()), kFailed, empty);
}
END_TEST

START_TEST(a_missing_folder_is_named) {
  assert_refused(score(bank(), shared("nowhere")), kFailed, shared("nowhere"));
}
END_TEST

START_TEST(a_missing_bank_is_named) {
  assert_refused(score(none(), shared("train")), kFailed, none());
  assert_refused(run({"bank", "info", none()}), kFailed, none());
  assert_refused(run({"evaluate", "--bank", none(), "--dataset", shared("data")}), kFailed, none());
}
END_TEST

START_TEST(a_bank_that_is_cut_off_is_named) {
  const fs::path file = fresh() / "cut.safetensors";
  const std::string whole = read_file(bank());
  for (const size_t length : {size_t{0}, size_t{5}, size_t{100}, whole.size() - 1}) {
    write_file(file, whole.substr(0, length));
    assert_refused(score(file, shared("train")), kFailed, file);
  }
}
END_TEST

START_TEST(a_bank_of_other_weights_is_refused_naming_both) {
  const fs::path file = fresh() / "other.safetensors";
  const std::string id = header_of(bank())["__metadata__"]["weights_id"];
  const std::string other(id.size(), '0');
  std::string bytes = read_file(bank());
  bytes.replace(bytes.find(id), id.size(), other);
  write_file(file, bytes);
  const Run run = score(file, shared("train"));
  for (const std::string& part : {file.string(), id, other}) assert_refused(run, kFailed, part);
}
END_TEST

START_TEST(a_network_without_weights_says_how_to_get_them) {
  assert_refused(fit(shared("train"), none(), {"--backbone", "resnet18"}), kFailed,
                 "patchcore weights fetch resnet18");
}
END_TEST

START_TEST(missing_weights_are_named) { assert_refused(fit_resnet(none()), kFailed, none()); }
END_TEST

START_TEST(weights_of_something_else_are_named) {
  assert_refused(fit_resnet(bank()), kFailed, bank());
}
END_TEST

START_TEST(weights_that_are_cut_off_are_named) {
  const fs::path file = fresh() / "cut.safetensors";
  write_file(file, read_file(bank()).substr(0, 2000));
  assert_refused(fit_resnet(file), kFailed, file);
}
END_TEST

START_TEST(an_output_in_no_folder_is_refused_before_the_work) {
  // The images are bad too: had the work begun, they would be what is named.
  const fs::path images = images_with("a.png", "");
  const std::string output = shared("nowhere/bank.safetensors");
  assert_refused(fit(images, output), kFailed, output);
  assert_refused(run({"score", "--bank", bank(), "--images", images, "--maps", output}), kFailed,
                 output);
  assert_refused(import(bank(), output), kFailed, output);
}
END_TEST

START_TEST(an_output_in_a_folder_without_leave_to_write_is_refused) {
  if (geteuid() == 0) return;  // root may write anywhere
  const fs::path locked = fresh();
  fs::permissions(locked, fs::perms::owner_read | fs::perms::owner_exec);
  assert_refused(fit(shared("train"), locked / "bank.safetensors"), kFailed,
                 locked / "bank.safetensors");
}
END_TEST

START_TEST(an_output_that_is_a_folder_is_refused) {
  assert_refused(fit(shared("train"), shared("data")), kFailed, shared("data"));
}
END_TEST

START_TEST(an_output_that_is_no_plain_file_is_refused_and_stays) {
  const fs::path link = fresh() / "null";
  fs::create_symlink("/dev/null", link);  // as root, the device itself would be at stake
  assert_refused(fit(shared("train"), link), kFailed, link);
  ck_assert(fs::is_symlink(link));
}
END_TEST

START_TEST(a_bank_survives_a_fit_that_fails) {
  const fs::path images = images_with("a.png", ""), kept = fresh() / "bank.safetensors";
  fs::copy(bank(), kept);
  assert_refused(fit(images, kept), kFailed, images / "a.png");
  ck_assert(read_file(kept) == read_file(bank()));
}
END_TEST

START_TEST(a_fit_that_fails_leaves_nothing) {
  const fs::path output = fresh();
  fit(images_with("a.png", ""), output / "bank.safetensors");
  ck_assert(fs::is_empty(output));
}
END_TEST

START_TEST(a_bank_survives_an_import_that_fails) {
  const fs::path wide = embeddings("bank", "F32", {1, 2}), kept = fresh() / "bank.safetensors";
  fs::copy(bank(), kept);
  assert_refused(import(wide, kept), kFailed, wide);
  ck_assert(read_file(kept) == read_file(bank()));
}
END_TEST

START_TEST(embeddings_of_another_width_are_refused_naming_both) {
  const Run run = import(embeddings("bank", "F32", {1, 2}), none());
  assert_refused(run, kFailed, "2 values");
  assert_refused(run, kFailed, "gives 160");
}
END_TEST

START_TEST(embeddings_of_another_name_type_or_shape_are_named) {
  for (const fs::path& file :
       {embeddings("rows", "F32", {1, 160}), embeddings("bank", "I32", {1, 160}),
        embeddings("bank", "F32", {160}), embeddings("bank", "F32", {0, 160})})
    assert_refused(import(file, none()), kFailed, file);
}
END_TEST

START_TEST(embeddings_with_nan_are_named) {
  const fs::path file = fresh() / "nan.safetensors";
  std::string data(size_t{160} * 4, '\0');
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(data.data(), &nan, sizeof nan);
  write_tensor(file, "bank", "F32", {1, 160}, data);
  assert_refused(import(file, none()), kFailed, file);
}
END_TEST

START_TEST(a_full_disk_behind_standard_output_is_a_failure) {
  assert_refused(run_into_full_disk({"score", "--bank", bank(), "--images", shared("train")}),
                 kFailed, "standard output");
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(argc, argv, "bad input",
                   {an_empty_image_is_named,
                    a_png_that_is_cut_off_is_named,
                    a_jpeg_that_is_cut_off_is_named,
                    a_text_named_as_an_image_is_named,
                    a_link_to_nowhere_is_named,
                    a_folder_without_images_is_named,
                    a_missing_folder_is_named,
                    a_missing_bank_is_named,
                    a_bank_that_is_cut_off_is_named,
                    a_bank_of_other_weights_is_refused_naming_both,
                    a_network_without_weights_says_how_to_get_them,
                    missing_weights_are_named,
                    weights_of_something_else_are_named,
                    weights_that_are_cut_off_are_named,
                    an_output_in_no_folder_is_refused_before_the_work,
                    an_output_in_a_folder_without_leave_to_write_is_refused,
                    an_output_that_is_a_folder_is_refused,
                    an_output_that_is_no_plain_file_is_refused_and_stays,
                    a_bank_survives_a_fit_that_fails,
                    a_fit_that_fails_leaves_nothing,
                    a_bank_survives_an_import_that_fails,
                    embeddings_of_another_width_are_refused_naming_both,
                    embeddings_of_another_name_type_or_shape_are_named,
                    embeddings_with_nan_are_named,
                    a_full_disk_behind_standard_output_is_a_failure});
}
