// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights are fetched from real servers (file_server.py), whole or not at all, and converted. What
// torchvision publishes isn't there to be served: a file of the test's own takes its place.
#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "fetching.hpp"
#include "workshop.hpp"

using namespace workshop;
namespace fs = std::filesystem;
using patchcore::ErrorCode;

namespace {

constexpr int kFailed = 1;

std::string server_script;
const TemporaryFolder* files = nullptr;  ///< of torch_files.py

/// A .pth of some tensors, of 3000 bytes or so.
fs::path original() { return *files / "zip.pth"; }

/// A process that serves a file, until the end of the scope.
class Server {
 public:
  explicit Server(const std::string& behaviour, const fs::path& file = original()) {
    const std::string path = file;
    const char* argv[]{"/usr/bin/python3", server_script.c_str(), path.c_str(), behaviour.c_str(),
                       nullptr};
    int out = -1;
    ck_assert(g_spawn_async_with_pipes(nullptr, const_cast<char**>(argv), nullptr, G_SPAWN_DEFAULT,
                                       nullptr, nullptr, nullptr, &in_, &out, nullptr, nullptr));
    out_ = ::fdopen(out, "r");
    address_ = "http://127.0.0.1:" + line();
  }
  ~Server() {
    if (in_ >= 0) ::close(in_);
    std::fclose(out_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& address() const { return address_; }

  /// Ends it. What was asked for, a line a request.
  std::string requests() {
    ::close(in_);
    in_ = -1;
    std::string all;
    for (std::string next = line(); !next.empty(); next = line())
      all += (all.empty() ? "" : "\n") + next;
    return all;
  }

 private:
  std::string line() {
    std::array<char, 100> text{};
    if (!std::fgets(text.data(), text.size(), out_)) return "";
    std::string read = text.data();
    read.pop_back();
    return read;
  }

  int in_ = -1;
  std::FILE* out_ = nullptr;
  std::string address_;
};

/// Published weights whose digits are those of `file`, fetched into a folder of their own.
class Fetch {
 public:
  explicit Fetch(const fs::path& file = original())
      : Fetch(patchcore::digest_of(file).substr(0, 8)) {}
  explicit Fetch(const std::string& digits) : name_("mine-" + digits + ".pth") {}

  fs::path place() const { return folder_ / "mine.safetensors"; }
  fs::path part() const { return folder_ / (name_ + ".part"); }

  void run(const std::string& address, const patchcore::Monitor& monitor = {}) const {
    patchcore::cli::fetch_weights({"mine", name_.c_str()}, address, place(), monitor);
  }
  void run(const Server& server) const { run(server.address()); }

  /// The file's first bytes, as an earlier run left them.
  void leave(size_t bytes) const { write_file(part(), read_file(original()).substr(0, bytes)); }

  void assert_done() const {
    const fs::path expected = fresh() / "expected.safetensors";
    patchcore::convert_weights(original(), expected);
    // The rest is the same, and the header, which names the source, isn't.
    ck_assert(header_of(place())["part"] == header_of(expected)["part"]);
    ck_assert(header_of(place())["__metadata__"]["source_sha256"] ==
              header_of(expected)["__metadata__"]["source_sha256"]);
    ck_assert(!fs::exists(part()));
  }

  /// Fails the test unless it ends with an error that names `named`, and without weights.
  void assert_fails(const std::string& address, ErrorCode code, const std::string& named) const {
    try {
      run(address);
    } catch (const patchcore::Error& error) {
      const std::string what = error.what();
      ck_assert_msg(error.code() == code, "another kind of error: %s", what.c_str());
      ck_assert_msg(what.find(named) != std::string::npos, "\"%s\" doesn't name %s", what.c_str(),
                    named.c_str());
      ck_assert(!fs::exists(place()));
      return;
    }
    ck_abort_msg("no error");
  }

 private:
  std::string name_;
  fs::path folder_ = fresh();
};

std::string from(size_t byte) { return "bytes=" + std::to_string(byte) + "-"; }

/// Where fetched weights of resnet18 lie.
fs::path cached() { return shared("cache/patchcore/weights/resnet18.safetensors"); }

START_TEST(a_file_is_fetched_and_converted) {
  Server server("whole");
  const Fetch fetch;
  double before = 0;
  fetch.run(server.address(), {[&](double fraction) {
                                 ck_assert_double_ge(fraction, before);
                                 before = fraction;
                               },
                               {}});
  ck_assert_double_eq(before, 1);
  fetch.assert_done();
  assert_text(server.requests(), "all");
}
END_TEST

START_TEST(what_was_cut_off_before_is_gone_on_with) {
  Server server("whole");
  const Fetch fetch;
  fetch.leave(1000);
  fetch.run(server);
  fetch.assert_done();
  assert_text(server.requests(), from(1000));
}
END_TEST

START_TEST(a_connection_that_is_cut_is_made_again_where_it_ended) {
  Server server("cut");
  const Fetch fetch;
  fetch.run(server);
  fetch.assert_done();
  const size_t piece = fs::file_size(original()) / 8;
  const std::string requests = server.requests();
  ck_assert_msg(requests.starts_with("all\n" + from(piece) + "\n" + from(2 * piece) + "\n"), "%s",
                requests.c_str());
  ck_assert_int_ge(std::count(requests.begin(), requests.end(), '\n'), 7);
}
END_TEST

START_TEST(a_server_that_knows_no_ranges_begins_anew) {
  Server server("no-ranges");
  const Fetch fetch;
  fetch.leave(1000);
  fetch.run(server);
  fetch.assert_done();
  assert_text(server.requests(), from(1000));
}
END_TEST

START_TEST(a_connection_that_gets_no_further_is_given_up) {
  for (const char* behaviour : {"silent", "cut-without-ranges"}) {
    const Server server(behaviour);
    const Fetch fetch;
    fetch.assert_fails(server.address(), ErrorCode::OpenRead, server.address());
  }
}
END_TEST

START_TEST(a_part_that_is_all_is_only_checked) {
  Server server("whole");
  const Fetch fetch;
  fetch.leave(fs::file_size(original()));
  fetch.run(server);
  fetch.assert_done();
}
END_TEST

START_TEST(another_file_than_the_published_is_refused_and_deleted) {
  const Server server("whole");
  const Fetch fetch(std::string("0123abcd"));
  const std::string digits = patchcore::digest_of(original()).substr(0, 8);
  fetch.assert_fails(server.address(), ErrorCode::OpenRead, "0123abcd");
  fetch.assert_fails(server.address(), ErrorCode::OpenRead, digits);
  ck_assert(!fs::exists(fetch.part()));
}
END_TEST

START_TEST(a_part_of_another_file_is_deleted_and_the_next_try_succeeds) {
  const Server server("whole");
  const Fetch fetch;
  write_file(fetch.part(), "something else");
  fetch.assert_fails(server.address(), ErrorCode::OpenRead, "not what was published");
  fetch.run(server);
  fetch.assert_done();
}
END_TEST

START_TEST(half_a_file_that_passes_for_all_is_refused) {
  const Server server("short-without-length");
  const Fetch fetch;
  fetch.assert_fails(server.address(), ErrorCode::OpenRead, "not what was published");
  ck_assert(!fs::exists(fetch.part()));
}
END_TEST

START_TEST(a_servers_error_is_told) {
  const std::vector<std::pair<std::string, ErrorCode>> answers{
      {"404", ErrorCode::NotFound}, {"403", ErrorCode::OpenRead}, {"500", ErrorCode::OpenRead}};
  for (const auto& [status, code] : answers) {
    const Server server(status);
    const Fetch fetch;
    fetch.assert_fails(server.address(), code,
                       code == ErrorCode::NotFound ? "doesn't have it" : status);
    ck_assert(!fs::exists(fetch.part()));
  }
}
END_TEST

START_TEST(a_server_that_cannot_be_reached_is_named_with_another_way) {
  // Port 1 of the loopback, where nothing listens.
  const Fetch fetch;
  fetch.assert_fails("http://127.0.0.1:1", ErrorCode::OpenRead, "http://127.0.0.1:1/mine-");
  fetch.assert_fails("http://127.0.0.1:1", ErrorCode::OpenRead, "patchcore weights convert");
  // RFC 2606: a name that no server has.
  fetch.assert_fails("http://nowhere.invalid", ErrorCode::OpenRead, "nowhere.invalid");
}
END_TEST

START_TEST(a_redirection_is_followed_to_a_server_and_nowhere_else) {
  const Server moved("moved"), to_a_file("to-a-file");
  const Fetch fetch;
  fetch.run(moved);
  fetch.assert_done();
  Fetch().assert_fails(to_a_file.address(), ErrorCode::OpenRead, to_a_file.address());
}
END_TEST

START_TEST(a_fetch_that_is_cancelled_keeps_its_part) {
  const Server server("whole");
  const Fetch fetch;
  fetch.leave(1000);
  try {
    fetch.run(server.address(), {{}, [] { return true; }});
    ck_abort_msg("no error");
  } catch (const patchcore::Error& error) {
    ck_assert(error.code() == ErrorCode::Cancelled);
  }
  ck_assert_uint_ge(fs::file_size(fetch.part()), 1000);
}
END_TEST

START_TEST(two_processes_do_not_write_one_file) {
  const Fetch fetch;
  fetch.leave(1000);
  const int held = ::open(fetch.part().c_str(), O_RDONLY);
  ck_assert_int_eq(::flock(held, LOCK_EX), 0);
  fetch.assert_fails("http://127.0.0.1:1", ErrorCode::Write, "Another process");
  ::close(held);
}
END_TEST

START_TEST(the_program_takes_a_mirror_and_refuses_its_file_if_it_is_another) {
  Server server("whole");
  assert_refused(
      run({"weights", "fetch", "resnet18", "--mirror", server.address()}), kFailed,
      "begins with " + patchcore::digest_of(original()).substr(0, 8) + ", not with f37072fd");
  ck_assert(fs::is_empty(cached().parent_path()));
}
END_TEST

START_TEST(offline_means_without_a_network) {
  Server server("whole");
  assert_refused(run({"weights", "fetch", "resnet18", "--offline", "--mirror", server.address()}),
                 kFailed, cached());
  assert_text(server.requests(), "");
}
END_TEST

START_TEST(what_is_in_the_cache_needs_no_network) {
  const fs::path home = fresh(), place = home / "patchcore/weights/resnet18.safetensors";
  g_setenv("XDG_CACHE_HOME", home.c_str(), TRUE);
  fs::create_directories(place.parent_path());
  patchcore::convert_weights(original(), place);
  const std::string line = place.string() + "\n";
  assert_text(output_of({"weights", "fetch", "resnet18", "--mirror", "http://127.0.0.1:1"}), line);
  assert_text(output_of({"weights", "fetch", "resnet18", "--offline"}), line);
  const auto list = nlohmann::json::parse(output_of({"weights", "list", "--json"}));
  for (const auto& entry : list)
    ck_assert(entry["file"] == (entry["backbone"] == "resnet18" ? nlohmann::json(place.string())
                                                                : nlohmann::json()));
}
END_TEST

START_TEST(the_cache_is_below_home_where_nothing_else_is_said) {
  const fs::path home = fresh();
  g_setenv("HOME", home.c_str(), TRUE);
  for (const char* useless : {"", "relative/folder"}) {
    g_setenv("XDG_CACHE_HOME", useless, TRUE);
    assert_refused(run({"weights", "fetch", "resnet18", "--offline"}), kFailed,
                   home / ".cache/patchcore/weights/resnet18.safetensors");
  }
}
END_TEST

START_TEST(every_published_file_ends_in_eight_digits) {
  const auto list = nlohmann::json::parse(output_of({"weights", "list", "--json"}));
  ck_assert_uint_ge(list.size(), 3);
  for (const auto& entry : list) {
    const std::string address = entry["address"];
    ck_assert(address.starts_with("https://download.pytorch.org/models/"));
    const std::string digits =
        patchcore::expected_digest(patchcore::published_weights(entry["backbone"]));
    ck_assert_uint_eq(digits.size(), 8);
    ck_assert_uint_eq(digits.find_first_not_of("0123456789abcdef"), std::string::npos);
    ck_assert(address.ends_with("-" + digits + ".pth"));
  }
}
END_TEST

START_TEST(the_program_converts) {
  const fs::path made = fresh() / "made.safetensors";
  assert_text(output_of({"weights", "convert", original(), "--output", made}),
              made.string() + "\n");
  ck_assert(header_of(made).contains("transposed"));
  const std::string code = files->file("reduce.pth");
  const fs::path none = fresh() / "none.safetensors";
  assert_refused(run({"weights", "convert", code, "--output", none}), kFailed, code);
  assert_refused(run({"weights", "convert", code, "--output", none}), kFailed, "os.system");
  assert_refused(run({"weights", "convert", original(), "--output", "/nowhere/x"}), kFailed,
                 "/nowhere");
  ck_assert(!fs::exists(none));
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return EXIT_FAILURE;
  server_script = argv[2];
  const TemporaryFolder folder;
  files = &folder;
  const std::string command =
      "/usr/bin/python3 -B '" + std::string(argv[3]) + "' '" + folder.path().string() + "'";
  if (std::system(command.c_str()) != 0) return EXIT_FAILURE;
  g_setenv("no_proxy", "*", TRUE);
  return run_tests(2, argv, "weights",
                   {a_file_is_fetched_and_converted,
                    what_was_cut_off_before_is_gone_on_with,
                    a_connection_that_is_cut_is_made_again_where_it_ended,
                    a_server_that_knows_no_ranges_begins_anew,
                    a_connection_that_gets_no_further_is_given_up,
                    a_part_that_is_all_is_only_checked,
                    another_file_than_the_published_is_refused_and_deleted,
                    a_part_of_another_file_is_deleted_and_the_next_try_succeeds,
                    half_a_file_that_passes_for_all_is_refused,
                    a_servers_error_is_told,
                    a_server_that_cannot_be_reached_is_named_with_another_way,
                    a_redirection_is_followed_to_a_server_and_nowhere_else,
                    a_fetch_that_is_cancelled_keeps_its_part,
                    two_processes_do_not_write_one_file,
                    the_program_takes_a_mirror_and_refuses_its_file_if_it_is_another,
                    offline_means_without_a_network,
                    what_is_in_the_cache_needs_no_network,
                    the_cache_is_below_home_where_nothing_else_is_said,
                    every_published_file_ends_in_eight_digits,
                    the_program_converts});
}
