// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libtorch.hpp"

#include <glib.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

namespace gstpatchcore {
namespace {

// What meson found when this was built. An installed libpatchcore has the folder as its RUNPATH, so
// these are its files too. Where LibTorch was moved since, they are no longer there; then the
// version alone decides.
constexpr std::string_view kVersion = LIBTORCH_VERSION;
constexpr const char* kFolder = LIBTORCH_LIB_DIR;

// The two that libpatchcore links, and two that hold or need them.
constexpr const char* kCore = "libc10.so";
constexpr const char* kCpu = "libtorch_cpu.so";
constexpr std::array kNames{kCore, kCpu, "libtorch.so", "libtorch_cuda.so"};

constexpr size_t kMostText = 4096;   // bytes of a file that says the version
constexpr size_t kMostVersion = 64;  // characters

/// As the linker looks for it, so libpatchcore would get it.
bool has_plain_name(const fs::path& file) {
  return std::find(kNames.begin(), kNames.end(), file.filename()) != kNames.end();
}

/// libtorch_cpu.so, libtorch_cpu.so.1.13, or libtorch_cpu-1a2b3c4d.so, as auditwheel renames it.
/// The linker keeps renamed ones apart, but they would meet all the same: LibTorch's registry of
/// operators is a unique symbol, of which a process has one.
bool is_libtorch(const fs::path& file) {
  const std::string name = file.filename();
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view plain) {
    if (name.starts_with(plain)) return true;
    const size_t stem = plain.size() - std::string_view(".so").size();
    const size_t hash = std::string_view("-1a2b3c4d").size();
    return name.starts_with(std::string(plain.substr(0, stem)) + "-") &&
           name.compare(std::min(stem + hash, name.size()), 3, ".so") == 0;
  });
}

/// As the linker names them, which may be through symbolic links.
std::vector<fs::path> loaded_libtorch() {
  std::vector<fs::path> files;
  // Held up meanwhile: every thread that loads a library. So this only notes the names.
  const auto note = [](dl_phdr_info* info, size_t, void* names) {
    static_cast<std::vector<fs::path>*>(names)->emplace_back(info->dlpi_name);
    return 0;
  };
  dl_iterate_phdr(note, &files);
  std::error_code ignored;
  for (fs::path& file : files) file = fs::absolute(file, ignored);
  std::erase_if(files, [&](const fs::path& file) {
    return !is_libtorch(file) && !is_libtorch(fs::canonical(file, ignored));
  });
  return files;
}

/// The beginning of a text file; empty for anything else.
std::string read_text(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};  // a FIFO would be waited for
  std::string text(kMostText, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

/// The version that the text begins with and that `end` ends; empty if there is none.
std::string parse_version(std::string_view text, char end) {
  const std::string version(text.substr(0, text.find(end)));
  const auto allowed = [](char c) {
    return g_ascii_isalnum(c) || std::string_view(".+-_").find(c) != std::string_view::npos;
  };
  const bool valid = version.size() < std::min(kMostVersion, text.size()) &&
                     g_ascii_isdigit(version.c_str()[0]) &&
                     std::all_of(version.begin(), version.end(), allowed);
  return valid ? version : std::string();
}

/// Of torch/version.py, which is read as text: __version__ = '2.11.0+cu130'
std::string parse_version_py(const std::string& text) {
  constexpr std::string_view kAssigned = "\n__version__ = ";
  const std::string lines = "\n" + text;
  const size_t at = lines.find(kAssigned);
  if (at == std::string::npos || lines.size() == at + kAssigned.size()) return {};
  const std::string_view value = std::string_view(lines).substr(at + kAssigned.size());
  return value[0] == '\'' || value[0] == '"' ? parse_version(value.substr(1), value[0]) : "";
}

/// Of a wheel and of LibTorch's zip, what lies beside lib/. Empty if nothing there tells.
std::string version_of(const fs::path& file) {
  std::error_code ignored;
  for (const fs::path& path : {file, fs::canonical(file, ignored)}) {
    if (path.empty()) continue;
    const fs::path folder = path.parent_path() / "..";
    std::string version = parse_version_py(read_text(folder / "version.py"));
    if (version.empty()) version = parse_version(read_text(folder / "build-version") + '\n', '\n');
    if (!version.empty()) return version;
  }
  return {};
}

/// 2.11.0 of 2.11.0+cu130. The builds of a release differ in what they add, not in what we use.
std::string_view release_of(std::string_view version) {
  return version.substr(0, version.find('+'));
}

fs::path ours(const fs::path& file) { return kFolder / file.filename(); }

/// The very file, maybe under another name, through links.
bool is_ours(const fs::path& file) {
  std::error_code ignored;
  return fs::equivalent(file, ours(file), ignored) ||
         fs::equivalent(file, ours(fs::canonical(file, ignored)), ignored);
}

/// A copy. Half a gigabyte is read only where sizes are equal and nothing tells the version.
bool is_like_ours(const fs::path& file) {
  std::error_code failed;
  const auto size = fs::file_size(file, failed);
  if (failed || size != fs::file_size(ours(file), failed) || failed) return false;
  std::ifstream theirs(file, std::ios::binary), own(ours(file), std::ios::binary);
  std::vector<char> a(1 << 20), b(a.size());
  while (theirs && own) {
    theirs.read(a.data(), static_cast<std::streamsize>(a.size()));
    own.read(b.data(), static_cast<std::streamsize>(b.size()));
    if (theirs.gcount() != own.gcount() || a != b) return false;
  }
  return theirs.eof() && own.eof();
}

std::string shown(const fs::path& path) {
  g_autofree char* text = g_filename_display_name(path.c_str());  // bus texts are UTF-8
  return text;
}

std::string refusal(const std::string& what, const fs::path& file, const std::string& cure) {
  return what + ": " + shown(file) + ". libpatchcore needs LibTorch " + std::string(kVersion) +
         ": " + shown(fs::path(kFolder) / kCpu) + ". Cure: " + cure;
}

const std::string kTakeOurs = "run the program with torch " LIBTORCH_VERSION;

/// Why this one, which isn't our file, can't take the place of ours.
std::string refuse(const fs::path& file) {
  const std::string version = version_of(file);
  const std::string named = "LibTorch " + (version.empty() ? "of unknown version" : version);
  if (!has_plain_name(file))
    return refusal(named + " is in this process under a name that can't be shared", file,
                   "use patchcoredetect in a process without it");
  if (version.empty() ? is_like_ours(file) : release_of(version) == kVersion) return {};
  return refusal(named + " is in this process already", file,
                 kTakeOurs + ", or build patchcore with -Dlibtorch=" +
                     shown(file.parent_path().parent_path()));
}

/// One installation, and no part of it left to be taken from another.
bool is_one(const std::vector<fs::path>& files) {
  const fs::path folder = files.front().parent_path();
  const auto beside = [&](const fs::path& file) {
    std::error_code ignored;
    return fs::equivalent(file.parent_path(), folder, ignored);
  };
  const auto has = [&](const char* name) {
    return std::any_of(files.begin(), files.end(),
                       [&](const fs::path& file) { return file.filename() == name; });
  };
  return has(kCore) && has(kCpu) && std::all_of(files.begin(), files.end(), beside);
}

}  // namespace

std::string libtorch_conflict() {
  const std::vector<fs::path> files = loaded_libtorch();
  const auto foreign = std::find_if_not(files.begin(), files.end(), is_ours);
  if (foreign == files.end()) return {};
  for (const fs::path& file : files)
    if (std::string reason = is_ours(file) ? "" : refuse(file); !reason.empty()) return reason;
  if (is_one(files)) return {};
  return refusal("A part of another LibTorch is in this process", *foreign,
                 kTakeOurs + " from one folder");
}

}  // namespace gstpatchcore
