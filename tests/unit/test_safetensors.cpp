// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading and writing safetensors (https://github.com/huggingface/safetensors#format). Files that
// break the format's rules: test_safetensors_hostile.cpp.

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "safetensors.hpp"
#include "safetensors_fixture.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr at::ScalarType kTypes[] = {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                                     at::kInt,    at::kShort, at::kChar, at::kByte,     at::kBool};

/// Bits equal, NaN and the sign of zero too.
bool same(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         a.contiguous().view(-1).numel() == b.numel() &&
         (a.nbytes() == 0 ||
          std::memcmp(a.contiguous().data_ptr(), b.contiguous().data_ptr(), a.nbytes()) == 0);
}

void write_python_file(const std::filesystem::path& path) {
  write_file(path, {kPythonFile.begin(), kPythonFile.end()});
}

}  // namespace

START_TEST(every_type_comes_back_as_it_was_written) {
  const TemporaryFolder folder;
  const at::Tensor values = at::arange(-3, 4, at::kDouble).reshape({7, 1});
  std::map<std::string, at::Tensor> tensors;
  for (const auto type : kTypes) tensors[c10::toString(type)] = values.abs().to(type);
  write_safetensors(folder / "f", {}, tensors);
  SafetensorsReader reader(folder / "f");
  ck_assert_uint_eq(reader.names().size(), std::size(kTypes));
  for (const auto& [name, tensor] : tensors)
    ck_assert_msg(same(reader.tensor(name), tensor), "%s", name.c_str());
}
END_TEST

START_TEST(special_floats_come_back_bit_by_bit) {
  const TemporaryFolder folder;
  const at::Tensor values = at::tensor({NAN, -INFINITY, -0.0f, 1e-45f, 3.4e38f});
  write_safetensors(folder / "f", {}, {{"a", values}});
  ck_assert(same(SafetensorsReader(folder / "f").tensor("a"), values));
}
END_TEST

START_TEST(tensors_without_entries_and_without_dimensions_come_back) {
  const TemporaryFolder folder;
  const std::map<std::string, at::Tensor> tensors{{"none", at::empty({0})},
                                                  {"none of three", at::empty({0, 3}, at::kLong)},
                                                  {"scalar", at::scalar_tensor(2.5)}};
  write_safetensors(folder / "f", {}, tensors);
  SafetensorsReader reader(folder / "f");
  for (const auto& [name, tensor] : tensors) ck_assert(same(reader.tensor(name), tensor));
}
END_TEST

START_TEST(no_tensor_at_all_is_a_file_too) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {{"a", "b"}}, {});
  const SafetensorsReader reader(folder / "f");
  ck_assert(reader.names().empty());
  assert_text(reader.metadata().at("a"), "b");
}
END_TEST

START_TEST(a_view_is_written_in_the_order_of_its_indices) {
  const TemporaryFolder folder;
  const at::Tensor rows = noise("view", {5, 8});
  const at::Tensor view = rows.t().slice(0, 1, 8, 3);
  write_safetensors(folder / "f", {}, {{"a", view}});
  ck_assert(same(SafetensorsReader(folder / "f").tensor("a"), view.contiguous()));
}
END_TEST

START_TEST(any_text_comes_back_from_the_metadata) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> metadata{{"", "no name"},
                                                    {"empty", ""},
                                                    {"quotes", "\"\\\n\t\x01{}"},
                                                    {"unicode", "Ma\xc3\x9f \xe2\x9c\x93"}};
  write_safetensors(folder / "f", metadata, {});
  ck_assert(SafetensorsReader(folder / "f").metadata() == metadata);
}
END_TEST

START_TEST(metadata_that_is_not_utf8_is_written_readably) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {{"path", "/tmp/\xff"}}, {});
  assert_text(SafetensorsReader(folder / "f").metadata().at("path"), "/tmp/\xef\xbf\xbd");
}
END_TEST

START_TEST(a_file_that_python_wrote_is_read) {
  const TemporaryFolder folder;
  write_python_file(folder / "f");
  SafetensorsReader reader(folder / "f");
  ck_assert(same(reader.tensor("flags"), at::tensor({1, 0, 1}).to(at::kBool)));
  ck_assert(same(reader.tensor("values"), at::tensor({1.5f, -2.0f, 0.25f, 3e38f}).view({2, 2})));
  ck_assert(same(reader.tensor("scalar"), at::scalar_tensor(-7, at::kLong)));
  ck_assert(same(reader.tensor("empty"), at::empty({0, 3}, at::kHalf)));
  ck_assert(same(reader.tensor("brain"), at::tensor({1.0f, -0.5f}).to(at::kBFloat16)));
  const std::map<std::string, std::string> metadata{{"made by", "safetensors \xe2\x9c\x93"},
                                                    {"empty", ""}};
  ck_assert(reader.metadata() == metadata);
}
END_TEST

// As Python's package does it: who maps the file can use the values where they are.
START_TEST(every_tensor_is_aligned_to_its_element_size) {
  const TemporaryFolder folder;
  std::map<std::string, at::Tensor> tensors;
  for (const auto type : kTypes) tensors[c10::toString(type)] = at::ones({3}, type);
  write_safetensors(folder / "f", {{"a", "b"}}, tensors);
  const std::string bytes = read_file(folder / "f");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  ck_assert_uint_eq((8 + length) % 8, 0);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  for (const auto& [name, tensor] : tensors)
    ck_assert_msg(header[name]["data_offsets"][0].get<size_t>() % tensor.element_size() == 0, "%s",
                  name.c_str());
}
END_TEST

START_TEST(a_tensor_that_is_not_there_is_refused_by_name) {
  const TemporaryFolder folder;
  write_python_file(folder / "f");
  SafetensorsReader reader(folder / "f");
  ck_assert(!reader.contains("other"));
  assert_refused(ErrorCode::OpenRead, {(folder / "f").string(), "other"}, "other",
                 [&] { reader.tensor("other"); });
}
END_TEST

START_TEST(a_file_that_shrank_after_it_was_opened_is_refused) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {}, {{"a", at::ones({1 << 16})}});
  SafetensorsReader reader(folder / "f");
  std::filesystem::resize_file(folder / "f", 1 << 15);
  assert_refused(ErrorCode::OpenRead, {(folder / "f").string(), "\"a\""}, "shrunk",
                 [&] { reader.tensor("a"); });
}
END_TEST

START_TEST(reading_is_cancelled_between_blocks_of_4_mib) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {}, {{"a", at::zeros({10 << 20})}});  // 40 MiB
  int looks = 0, last = 1 << 30;
  SafetensorsReader reader(folder / "f", {{}, [&] { return ++looks == last; }});
  looks = 0;
  reader.tensor("a");
  ck_assert_int_eq(looks, 10);
  for (last = 1; last <= 10; ++last) {
    looks = 0;
    assert_refused(ErrorCode::Cancelled, {}, "reading", [&] { reader.tensor("a"); });
    ck_assert_int_eq(looks, last);
  }
  looks = 0;
  ck_assert_int_eq(reader.tensor("a").size(0), 10 << 20);
}
END_TEST

// A header of 16 MiB takes longer to understand than to read.
START_TEST(reading_a_header_of_many_entries_is_cancelled) {
  const TemporaryFolder folder;
  std::map<std::string, at::Tensor> tensors;
  for (int i = 0; i < 1000; ++i) tensors["t" + std::to_string(i)] = at::zeros({1});
  write_safetensors(folder / "f", {}, tensors);
  int looks = 0;
  const SafetensorsReader all(folder / "f", {{}, [&] { return ++looks < 0; }});
  ck_assert_int_ge(looks, 1000);
}
END_TEST

START_TEST(a_type_that_the_format_lacks_is_refused) {
  const TemporaryFolder folder;
  assert_refused(ErrorCode::InvalidArgument, {}, "complex", [&] {
    write_safetensors(folder / "f", {}, {{"a", at::ones({1}, at::kComplexFloat)}});
  });
  ck_assert(folder.names().empty());
}
END_TEST

START_TEST(writing_replaces_the_old_file_and_leaves_no_other) {
  const TemporaryFolder folder;
  write_file(folder / "f", "old");
  write_safetensors(folder / "f", {}, {{"a", at::ones({3})}});
  ck_assert(folder.names() == std::vector<std::string>{"f"});
  ck_assert(SafetensorsReader(folder / "f").contains("a"));
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_a_write_error_naming_the_file) {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  for (const auto& path : {folder / "missing" / "f", folder / "file" / "f"})
    assert_refused(ErrorCode::Write, {path.string()}, path.string(), [&] {
      write_safetensors(path, {}, {{"a", at::ones({3})}});
    });
  ck_assert(folder.names() == std::vector<std::string>{"file"});
}
END_TEST

START_TEST(a_folder_of_the_name_is_a_write_error_and_stays) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "f" / "inside");
  assert_refused(ErrorCode::Write, {(folder / "f").string()}, "a folder", [&] {
    write_safetensors(folder / "f", {}, {{"a", at::ones({3})}});
  });
  ck_assert(folder.names() == std::vector<std::string>{"f"});
}
END_TEST

START_TEST(a_device_is_a_write_error_and_stays) {
  // As /dev/null, which root could replace by a plain file.
  const TemporaryFolder folder;
  ck_assert_int_eq(::mkfifo((folder / "f").c_str(), 0600), 0);
  assert_refused(ErrorCode::Write, {(folder / "f").string()}, "a FIFO", [&] {
    write_safetensors(folder / "f", {}, {{"a", at::ones({3})}});
  });
  ck_assert(std::filesystem::is_fifo(folder / "f"));
}
END_TEST

START_TEST(through_a_link_the_file_is_replaced_and_the_link_stays) {
  const TemporaryFolder folder;
  write_file(folder / "real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  write_safetensors(folder / "link", {}, {{"a", at::ones({3})}});
  ck_assert(std::filesystem::is_symlink(folder / "link"));
  ck_assert(SafetensorsReader(folder / "real").contains("a"));
}
END_TEST

START_TEST(a_write_that_fails_midway_leaves_the_old_file_alone) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {}, {{"a", at::ones({3})}});
  const std::string before = read_file(folder / "f");
  // Files may not grow beyond 1 MiB: write(2) gives EFBIG, as a full disk gives ENOSPC.
  rlimit old_limit{};
  ck_assert_int_eq(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{1 << 20, old_limit.rlim_max};
  ck_assert_int_eq(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_refused(ErrorCode::Write, {(folder / "f").string()}, "too large", [&] {
    write_safetensors(folder / "f", {}, {{"a", at::ones({1 << 20})}});
  });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ck_assert(read_file(folder / "f") == before);
  ck_assert(folder.names() == std::vector<std::string>{"f"});
}
END_TEST

START_TEST(a_cancelled_write_leaves_the_old_file_alone) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {}, {{"a", at::ones({3})}});
  const std::string before = read_file(folder / "f");
  int looks = 0;
  Monitor monitor;
  monitor.cancelled = [&] { return ++looks == 3; };
  assert_refused(ErrorCode::Cancelled, {}, "cancelled", [&] {
    write_safetensors(folder / "f", {}, {{"a", at::ones({4 << 20})}}, monitor);
  });
  ck_assert_int_eq(looks, 3);
  ck_assert(read_file(folder / "f") == before);
  ck_assert(folder.names() == std::vector<std::string>{"f"});
}
END_TEST

int main() {
  Suite* suite = suite_create("safetensors");
  TCase* reading = tcase_create("reading");
  tcase_add_test(reading, every_type_comes_back_as_it_was_written);
  tcase_add_test(reading, special_floats_come_back_bit_by_bit);
  tcase_add_test(reading, tensors_without_entries_and_without_dimensions_come_back);
  tcase_add_test(reading, no_tensor_at_all_is_a_file_too);
  tcase_add_test(reading, a_view_is_written_in_the_order_of_its_indices);
  tcase_add_test(reading, any_text_comes_back_from_the_metadata);
  tcase_add_test(reading, metadata_that_is_not_utf8_is_written_readably);
  tcase_add_test(reading, a_file_that_python_wrote_is_read);
  tcase_add_test(reading, every_tensor_is_aligned_to_its_element_size);
  tcase_add_test(reading, a_tensor_that_is_not_there_is_refused_by_name);
  tcase_add_test(reading, a_file_that_shrank_after_it_was_opened_is_refused);
  tcase_add_test(reading, reading_is_cancelled_between_blocks_of_4_mib);
  tcase_add_test(reading, reading_a_header_of_many_entries_is_cancelled);
  suite_add_tcase(suite, reading);
  TCase* writing = tcase_create("writing");
  tcase_add_test(writing, a_type_that_the_format_lacks_is_refused);
  tcase_add_test(writing, writing_replaces_the_old_file_and_leaves_no_other);
  tcase_add_test(writing, a_folder_that_is_not_there_is_a_write_error_naming_the_file);
  tcase_add_test(writing, a_folder_of_the_name_is_a_write_error_and_stays);
  tcase_add_test(writing, a_device_is_a_write_error_and_stays);
  tcase_add_test(writing, through_a_link_the_file_is_replaced_and_the_link_stays);
  tcase_add_test(writing, a_write_that_fails_midway_leaves_the_old_file_alone);
  tcase_add_test(writing, a_cancelled_write_leaves_the_old_file_alone);
  suite_add_tcase(suite, writing);
  return run_suite(suite);
}
