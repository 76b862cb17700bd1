// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that break a rule of safetensors: each is refused with the path, and none is believed.

#include <sys/stat.h>

#include "safetensors.hpp"
#include "safetensors_fixture.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

/// A file of this header, its length before it, and zeros behind it.
std::string file_of(const std::string& header, size_t data = 8) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(uint64_t{header.size()} >> 8 * i);
  return bytes + header + std::string(data, '\0');
}

/// The header of one tensor, "a", and whatever else stands in it.
std::string entry(const std::string& type, const std::string& shape, const std::string& offsets,
                  const std::string& more = "") {
  return R"({"a":{"dtype":)" + type + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}" + more + "}";
}

std::string second(const std::string& offsets) {
  return R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}";
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// Opens the bytes as a file and reads everything in it.
void read_all(const std::filesystem::path& path) {
  SafetensorsReader reader(path);
  for (const auto& name : reader.names()) reader.tensor(name);
}

struct Hostile {
  const char* what;
  std::string bytes;
};

void assert_all_refused(const std::vector<Hostile>& files) {
  const TemporaryFolder folder;
  const auto path = folder / "hostile.safetensors";
  for (const auto& [what, bytes] : files) {
    write_file(path, bytes);
    assert_refused(ErrorCode::OpenRead, {path.string()}, what, [&] { read_all(path); });
  }
}

}  // namespace

START_TEST(the_well_formed_file_that_the_others_are_made_from_is_read) {
  const TemporaryFolder folder;
  write_file(folder / "f", file_of(entry(R"("F32")", "[2]", "[0,8]")));
  read_all(folder / "f");
  write_file(folder / "f", file_of(entry(R"("U8")", "[4]", "[4,8]", second("[0,4]"))));
  read_all(folder / "f");
}
END_TEST

START_TEST(a_file_cut_off_at_any_byte_is_refused) {
  const std::string whole(kPythonFile.begin(), kPythonFile.end());
  std::vector<Hostile> files;
  for (size_t length = 0; length < whole.size(); ++length)
    files.push_back({"cut off", whole.substr(0, length)});
  assert_all_refused(files);
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_refused) {
  const std::string whole = file_of(entry(R"("F32")", "[2]", "[0,8]"));
  std::vector<Hostile> files;
  for (const uint64_t length : {uint64_t{whole.size()} - 7, uint64_t{100} << 20, uint64_t{1} << 63,
                                ~uint64_t{0}, ~uint64_t{7}}) {
    std::string bytes = whole;
    std::memcpy(bytes.data(), &length, sizeof length);
    files.push_back({"longer than the file", bytes});
  }
  assert_all_refused(files);
}
END_TEST

START_TEST(a_header_that_is_no_json_object_is_refused) {
  assert_all_refused({{"nothing", file_of("", 0)},
                      {"spaces", file_of("    ", 0)},
                      {"no JSON", file_of("{a:1}", 0)},
                      {"JSON and more", file_of("{}{}", 0)},
                      {"an array", file_of("[]", 0)},
                      {"a number", file_of("1", 0)},
                      {"null", file_of("null", 0)},
                      {"not UTF-8", file_of("{\"\xff\":1}", 0)},
                      {"a zero byte", file_of(std::string("{}\0", 3), 0)}});
}
END_TEST

START_TEST(an_entry_that_is_not_as_the_format_says_is_refused) {
  assert_all_refused({{"no object", file_of(R"({"a":1})", 0)},
                      {"empty", file_of(R"({"a":{}})", 0)},
                      {"no type", file_of(R"({"a":{"shape":[2],"data_offsets":[0,8]}})")},
                      {"no shape", file_of(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})")},
                      {"no offsets", file_of(R"({"a":{"dtype":"F32","shape":[2]}})")},
                      {"unknown type", file_of(entry(R"("F33")", "[2]", "[0,8]"))},
                      {"type in lower case", file_of(entry(R"("f32")", "[2]", "[0,8]"))},
                      {"type a number", file_of(entry("32", "[2]", "[0,8]"))},
                      {"shape a number", file_of(entry(R"("F32")", "2", "[0,8]"))},
                      {"shape of text", file_of(entry(R"("F32")", R"(["2"])", "[0,8]"))},
                      {"negative side", file_of(entry(R"("F32")", "[-2,-1]", "[0,8]"))},
                      {"float side", file_of(entry(R"("F32")", "[2.0]", "[0,8]"))}});
}
END_TEST

START_TEST(offsets_that_are_not_two_counts_in_order_are_refused) {
  std::vector<Hostile> files;
  for (const char* offsets :
       {"[-8,0]", "[0.0,8.0]", "[0,8.5]", "[8,0]", "[0]", "[0,8,8]", "[]", "8", "{}", "null",
        "[\"0\",\"8\"]", "[0,1e1]", "[0,[8]]", "[18446744073709551608,18446744073709551616]",
        "[18446744073709551608,0]"})
    files.push_back({offsets, file_of(entry(R"("F32")", "[2]", offsets))});
  assert_all_refused(files);
}
END_TEST

START_TEST(a_size_that_type_and_shape_do_not_give_is_refused) {
  assert_all_refused({{"too few bytes", file_of(entry(R"("F32")", "[3]", "[0,8]"))},
                      {"too many bytes", file_of(entry(R"("F32")", "[1]", "[0,8]"))},
                      {"another type", file_of(entry(R"("F64")", "[2]", "[0,8]"))},
                      {"none of them", file_of(entry(R"("F32")", "[0]", "[0,8]"))},
                      {"behind the end", file_of(entry(R"("F32")", "[3]", "[0,12]"))}});
}
END_TEST

START_TEST(tensors_that_overlap_or_leave_gaps_are_refused) {
  const auto file = [](const char* first, const char* other) {
    return file_of(entry(R"("U8")", "[4]", first, second(other)));
  };
  assert_all_refused({{"the same bytes", file("[0,4]", "[0,4]")},
                      {"overlapping", file("[0,4]", "[2,6]")},
                      {"a gap in front", file_of(entry(R"("U8")", "[4]", "[4,8]"))},
                      {"a gap between", file_of(entry(R"("U8")", "[2]", "[0,2]", second("[4,8]")))},
                      {"bytes behind", file_of(entry(R"("U8")", "[4]", "[0,4]"))},
                      {"a byte behind no tensor", file_of("{}", 1)}});
}
END_TEST

START_TEST(a_shape_whose_product_overflows_is_refused) {
  std::vector<Hostile> files;
  for (const char* shape :
       {"[4294967296,4294967296]", "[4294967296,4294967296,0]", "[0,4294967296,4294967296]",
        "[9223372036854775807]", "[18446744073709551615]", "[18446744073709551617]", "[1e30]",
        "[4611686018427387904,4]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]"})
    files.push_back({shape, file_of(entry(R"("F32")", shape, "[0,0]"), 0)});
  assert_all_refused(files);
}
END_TEST

// A side of 0 makes the size 0, and so the others aren't bounded by it: only the file bounds them.
START_TEST(an_empty_shape_whose_strides_overflow_is_refused) {
  const std::string padding(1000, ' ');
  const std::string sides = repeated(",1000", 7);
  assert_all_refused(
      {{"strides", file_of(entry(R"("U8")", "[0" + sides + "]", "[0,0]") + padding, 0)}});
}
END_TEST

START_TEST(deeply_nested_json_is_refused) {
  constexpr size_t kDepth = 100000;
  const std::string open = repeated("[", kDepth), close = repeated("]", kDepth);
  assert_all_refused({{"never closed", file_of(open, 0)},
                      {"an array", file_of(open + close, 0)},
                      {"objects", file_of(repeated("{\"a\":", kDepth), 0)},
                      {"an entry", file_of("{\"a\":" + open + close + "}", 0)},
                      {"a type", file_of(entry(open + close, "[2]", "[0,8]"))},
                      {"a shape", file_of(entry(R"("F32")", open + close, "[0,8]"))},
                      {"offsets", file_of(entry(R"("F32")", "[2]", open + close))},
                      {"metadata", file_of(R"({"__metadata__":{"a":)" + open + close + "}}", 0)}});
}
END_TEST

START_TEST(metadata_other_than_strings_is_refused) {
  std::vector<Hostile> files;
  for (const char* value : {"1", "null", "[]", "\"text\"", "{\"a\":1}", "{\"a\":null}",
                            "{\"a\":{}}", "{\"a\":[\"b\"]}", "{\"a\":true}"})
    files.push_back({value, file_of("{\"__metadata__\":" + std::string(value) + "}", 0)});
  assert_all_refused(files);
}
END_TEST

START_TEST(a_name_given_twice_does_not_hide_bytes) {
  const std::string twice = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})";
  assert_all_refused({{"twice", file_of(twice)}});
}
END_TEST

START_TEST(a_missing_file_is_not_found) {
  const TemporaryFolder folder;
  for (const auto& path : {folder / "f", folder / "no" / "f"})
    assert_refused(ErrorCode::NotFound, {path.string()}, "missing", [&] { read_all(path); });
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_opening_it) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "folder");
  ck_assert_int_eq(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const auto& path : {folder / "folder", folder / "fifo", std::filesystem::path("/dev/zero")})
    assert_refused(ErrorCode::OpenRead, {path.string()}, path, [&] { read_all(path); });
}
END_TEST

START_TEST(a_path_that_cannot_be_looked_up_is_refused) {
  const TemporaryFolder folder;
  const std::string name(300, 'a');  // longer than NAME_MAX
  assert_refused(ErrorCode::OpenRead, {name}, "long", [&] { read_all(folder / name); });
}
END_TEST

int main() {
  Suite* suite = suite_create("safetensors-hostile");
  TCase* tests = tcase_create("refused");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, the_well_formed_file_that_the_others_are_made_from_is_read);
  tcase_add_test(tests, a_file_cut_off_at_any_byte_is_refused);
  tcase_add_test(tests, a_header_longer_than_the_file_is_refused);
  tcase_add_test(tests, a_header_that_is_no_json_object_is_refused);
  tcase_add_test(tests, an_entry_that_is_not_as_the_format_says_is_refused);
  tcase_add_test(tests, offsets_that_are_not_two_counts_in_order_are_refused);
  tcase_add_test(tests, a_size_that_type_and_shape_do_not_give_is_refused);
  tcase_add_test(tests, tensors_that_overlap_or_leave_gaps_are_refused);
  tcase_add_test(tests, a_shape_whose_product_overflows_is_refused);
  tcase_add_test(tests, an_empty_shape_whose_strides_overflow_is_refused);
  tcase_add_test(tests, deeply_nested_json_is_refused);
  tcase_add_test(tests, metadata_other_than_strings_is_refused);
  tcase_add_test(tests, a_name_given_twice_does_not_hide_bytes);
  tcase_add_test(tests, a_missing_file_is_not_found);
  tcase_add_test(tests, what_is_no_regular_file_is_refused_without_opening_it);
  tcase_add_test(tests, a_path_that_cannot_be_looked_up_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
