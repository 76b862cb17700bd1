// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of torch.save(), written by torch_files.py with Python's own pickle and zipfile.

#include <sys/resource.h>
#include <sys/stat.h>

#include <sstream>

#include "support.hpp"
#include "torch_file.hpp"
#include "weights.hpp"
#include "weights_file.hpp"

using namespace patchcore;

namespace {

const TemporaryFolder* files = nullptr;

struct Hostile {
  std::string kind, file, named;
};

std::vector<Hostile> hostile(const std::string& kind) {
  std::ifstream list(*files / "hostile.txt");
  std::vector<Hostile> found;
  for (std::string line; std::getline(list, line);) {
    std::istringstream parts(line);
    Hostile h;
    std::getline(std::getline(std::getline(parts, h.kind, '\t'), h.file, '\t'), h.named);
    if (h.kind == kind) found.push_back(h);
  }
  ck_assert(!found.empty());
  return found;
}

void assert_all_refused(const std::string& kind, TorchFile::Unknown unknown) {
  for (const auto& [_, file, named] : hostile(kind))
    assert_refused(ErrorCode::OpenRead, {files->file(file), named}, file,
                   [&, path = files->file(file)] { TorchFile(path, unknown).state_dict(); });
}

/// Refused whether unknown classes are or not.
void assert_all_refused(const std::string& kind) {
  assert_all_refused(kind, TorchFile::Unknown::Refuse);
  assert_all_refused(kind, TorchFile::Unknown::Ignore);
}

/// The values of a tensor, read as they are stored.
std::string values(const at::Tensor& tensor) {
  std::ostringstream text;
  text.precision(17);
  const at::Tensor flat = tensor.contiguous().flatten();
  for (int64_t i = 0; i < flat.numel(); ++i)
    text << (i ? " " : "")
         << (flat.is_floating_point() ? flat[i].item<double>()
                                      : static_cast<double>(flat[i].item<int64_t>()));
  return text.str();
}

/// What good() in torch_files.py has.
void assert_good(const NamedTensors& tensors) {
  const auto expect = [&](const char* name, at::ScalarType type, std::vector<int64_t> shape,
                          const char* expected) {
    ck_assert_msg(tensors.count(name) == 1, "%s is missing", name);
    ck_assert_msg(tensors.at(name).scalar_type() == type, "%s has another type", name);
    ck_assert_msg(tensors.at(name).sizes() == shape, "%s has another shape", name);
    assert_text(values(tensors.at(name)), expected);
  };
  ck_assert_uint_eq(tensors.size(), 15);
  expect("whole", at::kFloat, {4, 3}, "0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1 1.125 1.25 1.375");
  expect("part", at::kFloat, {2, 2}, "0.5 0.625 0.875 1");
  expect("transposed", at::kFloat, {3, 4},
         "0 0.375 0.75 1.125 0.125 0.5 0.875 1.25 0.25 0.625 1 1.375");
  expect("scalar", at::kFloat, {}, "0.625");
  expect("parameter", at::kFloat, {2}, "0 0.75");
  expect("empty", at::kFloat, {0, 4}, "");
  expect("Half", at::kHalf, {3}, "0.5 -2 65504");
  expect("BFloat16", at::kBFloat16, {3}, "1.5 -3 1.2676506002282294e+30");
  expect("Double", at::kDouble, {2}, "0.10000000000000001 -1.0000000000000001e+300");
  expect("Long", at::kLong, {2}, "-1 1099511627776");
  expect("Int", at::kInt, {2}, "-2147483648 7");
  expect("Short", at::kShort, {2}, "-32768 7");
  expect("Char", at::kChar, {2}, "-128 127");
  expect("Byte", at::kByte, {2}, "0 255");
  expect("Bool", at::kBool, {2}, "1 0");
}

START_TEST(tensors_are_read_from_archives_and_from_plain_files) {
  for (const char* name : {"zip.pth", "zip4.pth", "plain.pth"})
    assert_good(TorchFile(*files / name).state_dict());
}
END_TEST

START_TEST(a_state_dict_inside_a_dict_is_found) {
  const TorchFile file(*files / "nested.pth");
  assert_good(file.state_dict());
  ck_assert_int_eq(*file.root().find("epoch")->as<int64_t>(), 3);
  ck_assert_double_eq(*file.root().find("rate")->as<double>(), 0.5);
  const PickleItems& names = file.root().find("names")->items;
  ck_assert_uint_eq(names.size(), 2);
  assert_text(*names[0]->as<std::string>(), "a");
}
END_TEST

START_TEST(an_unknown_class_is_refused_by_name_or_stays_a_placeholder) {
  const auto path = *files / "unknown.ckpt";
  assert_refused(ErrorCode::OpenRead, {path, "someone.Config"}, "unknown",
                 [&] { TorchFile{path}; });
  const TorchFile file(path, TorchFile::Unknown::Ignore);
  assert_good(file.state_dict());
  const PickleValue& config = *file.root().find("config");
  ck_assert_ptr_eq(file.root().find("all")->items[1], &config);
  // Protocol 2 makes an object by copyreg._reconstructor or by NEWOBJ of its class.
  assert_text(config.as<PickleObject>()->maker->as<PickleGlobal>()->text(), "someone.Config");
  assert_all_refused("class", TorchFile::Unknown::Refuse);
}
END_TEST

START_TEST(code_is_refused_by_name_and_never_run) {
  assert_all_refused("code");
  ck_assert(!std::filesystem::exists(*files / "pwned"));
}
END_TEST

START_TEST(a_tensor_that_leaves_its_storage_is_refused) { assert_all_refused("shape"); }
END_TEST

START_TEST(a_pickle_that_breaks_its_rules_is_refused) { assert_all_refused("pickle"); }
END_TEST

START_TEST(an_archive_that_lies_about_its_members_is_refused) { assert_all_refused("archive"); }
END_TEST

START_TEST(a_small_file_cannot_ask_for_much_memory) {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t limit = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{400} << 20);
  const rlimit limits{limit, limit};
  ck_assert_int_eq(::setrlimit(RLIMIT_AS, &limits), 0);
  assert_all_refused("bomb");
}
END_TEST

START_TEST(a_file_cut_off_at_any_byte_is_refused) {
  for (const char* name : {"few.pth", "few_plain.pth"}) {
    const std::string whole = read_file(*files / name);
    const TemporaryFolder folder;
    const auto path = folder / name;
    for (size_t length = 0; length < whole.size(); ++length) {
      write_file(path, whole.substr(0, length));
      assert_refused(ErrorCode::OpenRead, {path}, name + std::to_string(length),
                     [&] { TorchFile(path).state_dict(); });
    }
  }
}
END_TEST

START_TEST(a_changed_byte_gives_tensors_or_an_error) {
  for (const char* name : {"few.pth", "few_plain.pth"}) {
    const std::string whole = read_file(*files / name);
    const TemporaryFolder folder;
    int read = 0;
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(~changed[at]);
      write_file(folder / name, changed);
      try {
        for (const auto& [_, tensor] : TorchFile(folder / name).state_dict()) values(tensor);
        ++read;
      } catch (const Error& error) {
        ck_assert_int_eq(static_cast<int>(error.code()), static_cast<int>(ErrorCode::OpenRead));
      }
    }
    ck_assert_int_gt(read, 0);  // some bytes mean nothing
  }
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_opening_it) {
  const TemporaryFolder folder;
  ck_assert_int_eq(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  assert_refused(ErrorCode::OpenRead, {folder / "fifo"}, "fifo",
                 [&] { TorchFile{folder / "fifo"}; });
  assert_refused(ErrorCode::NotFound, {folder / "none"}, "none",
                 [&] { TorchFile{folder / "none"}; });
}
END_TEST

START_TEST(conversion_keeps_names_types_shapes_and_values) {
  const TemporaryFolder folder;
  for (const char* name : {"zip.pth", "plain.pth", "nested.pth"}) {
    const auto path = folder / "made.safetensors";
    convert_weights(*files / name, path);
    SafetensorsReader reader(path);
    NamedTensors tensors;
    for (const auto& tensor : reader.names()) tensors[tensor] = reader.tensor(tensor);
    assert_good(tensors);
    assert_text(reader.metadata().at("source_sha256"), sha256_of(*files / name));
  }
}
END_TEST

START_TEST(conversion_refuses_nan_and_infinity_and_writes_nothing) {
  const TemporaryFolder folder;
  for (const char* name : {"nan.pth", "infinite.pth"}) {
    const auto path = *files / name;
    assert_refused(ErrorCode::OpenRead, {path, "NaN or infinity in a"}, name,
                   [&] { convert_weights(path, folder / "made.safetensors"); });
  }
  ck_assert(folder.names().empty());
}
END_TEST

START_TEST(weights_are_read_from_either_format_by_their_first_bytes) {
  const TemporaryFolder folder;
  convert_weights(*files / "zip.pth", folder / "made.pth");
  for (const auto& path : {folder / "made.pth", *files / "zip.pth", *files / "plain.pth"}) {
    WeightsFile file(path);
    ck_assert(file.contains("part"));
    ck_assert(!file.contains("nothing"));
    assert_text(values(file.tensor("part")), "0.5 0.625 0.875 1");
  }
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  const TemporaryFolder folder;
  files = &folder;
  const std::string command =
      "/usr/bin/python3 -B '" + std::string(argv[1]) + "' '" + folder.path().string() + "'";
  if (std::system(command.c_str()) != 0) return EXIT_FAILURE;
  Suite* suite = suite_create("torch-file");
  TCase* tests = tcase_create("torch-file");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, tensors_are_read_from_archives_and_from_plain_files);
  tcase_add_test(tests, a_state_dict_inside_a_dict_is_found);
  tcase_add_test(tests, an_unknown_class_is_refused_by_name_or_stays_a_placeholder);
  tcase_add_test(tests, code_is_refused_by_name_and_never_run);
  tcase_add_test(tests, a_tensor_that_leaves_its_storage_is_refused);
  tcase_add_test(tests, a_pickle_that_breaks_its_rules_is_refused);
  tcase_add_test(tests, an_archive_that_lies_about_its_members_is_refused);
  tcase_add_test(tests, a_small_file_cannot_ask_for_much_memory);
  tcase_add_test(tests, a_file_cut_off_at_any_byte_is_refused);
  tcase_add_test(tests, a_changed_byte_gives_tensors_or_an_error);
  tcase_add_test(tests, what_is_no_regular_file_is_refused_without_opening_it);
  tcase_add_test(tests, conversion_keeps_names_types_shapes_and_values);
  tcase_add_test(tests, conversion_refuses_nan_and_infinity_and_writes_nothing);
  tcase_add_test(tests, weights_are_read_from_either_format_by_their_first_bytes);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
