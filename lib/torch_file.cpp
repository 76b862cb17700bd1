// SPDX-License-Identifier: LGPL-2.1-or-later
#include "torch_file.hpp"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "torch_tensors.hpp"

namespace patchcore {
namespace {

using Archive = caffe2::serialize::PyTorchStreamReader;

constexpr uint64_t kMostPickled = 16 << 20;
constexpr std::string_view kZip("PK\3\4", 4);
/// Of a plain file: protocol 2, and the start of the number 0x1950a86a20f9469cfc6c in 10 bytes.
constexpr std::string_view kPlain("\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::OpenRead, why); }

std::string start_of(std::istream& file, uint64_t bytes) {
  std::string start(bytes, '\0');
  file.clear();
  file.seekg(0);
  file.read(start.data(), static_cast<std::streamsize>(bytes));
  start.resize(static_cast<size_t>(file.gcount()));
  return start;
}

}  // namespace

class TorchFile::Reader {
 public:
  Reader(const std::filesystem::path& path, Unknown unknown)
      : file_(path, std::ios::binary),
        file_size_(std::filesystem::file_size(path)),
        tensors_(file_size_, unknown == Unknown::Ignore) {
    if (!file_) refuse("it can't be opened");
    const std::string start = start_of(file_, kPlain.size());
    if (start.starts_with(kZip))
      read_archive(path);
    else if (start == kPlain)
      read_plain();
    else
      refuse("it is no file of torch.save()");
  }

  const PickleValue& root() const { return pickle_->root(); }
  uint64_t file_size() const { return file_size_; }

 private:
  /// A zip: data.pkl, and each storage as data/KEY.
  void read_archive(const std::filesystem::path& path) {
    Archive archive(path.string());
    if (!archive.hasRecord("data.pkl")) refuse("it is an archive without data.pkl");
    if (archive.hasRecord("byteorder") && member(archive, "byteorder") != "little")
      refuse("it is of a big-endian machine");
    pickle_ = std::make_unique<Pickle>(member(archive, "data.pkl"), tensors_);
    for (const auto& [key, storage] : tensors_.storages()) {
      const std::string name = "data/" + key;
      // An empty storage may have no member.
      if (storage.numel() == 0) continue;
      if (!archive.hasRecord(name) || archive.getRecordSize(name) != storage.nbytes())
        refuse("the values of a tensor are missing");
      archive.getRecord(name, storage.data_ptr(), storage.nbytes());
    }
  }

  static std::string member(Archive& archive, const std::string& name) {
    const size_t size = archive.getRecordSize(name);
    if (size > kMostPickled) refuse("its member " + name + " is too large");
    std::string bytes(size, '\0');
    archive.getRecord(name, bytes.data(), size);
    return bytes;
  }

  /// Before PyTorch 1.6: a magic number, a version, facts on the machine, what was saved and the
  /// storages' keys, each a pickle; then each storage's number of values and the values.
  void read_plain() {
    const std::string bytes = start_of(file_, std::min(file_size_, kMostPickled));
    TorchTensors nothing(0, false);
    size_t at = 0;
    const auto next = [&](PickleNames& names) {
      auto pickle = std::make_unique<Pickle>(std::span(bytes).subspan(at), names);
      at += pickle->size();
      return pickle;
    };
    next(nothing);
    next(nothing);
    const auto machine = next(nothing);
    const PickleValue* little = machine->root().find("little_endian");
    if (little && little->as<bool>() && !*little->as<bool>())
      refuse("it is of a big-endian machine");
    pickle_ = next(tensors_);
    const auto keys = next(nothing);
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(at));
    if (keys->root().items.size() != tensors_.storages().size())
      refuse("it doesn't hold the tensors that it names");
    for (const PickleValue* key : keys->root().items) fill(*key);
  }

  void fill(const PickleValue& key) {
    const auto* text = key.as<std::string>();
    const auto storage = tensors_.storages().find(text ? *text : "");
    int64_t count = -1;
    file_.read(reinterpret_cast<char*>(&count), sizeof count);
    if (storage == tensors_.storages().end() || count != storage->second.numel())
      refuse("it doesn't hold the tensors that it names");
    const auto size = static_cast<std::streamsize>(storage->second.nbytes());
    if (size > 0 && !file_.read(static_cast<char*>(storage->second.data_ptr()), size))
      refuse("it ends too early");
  }

  std::ifstream file_;
  uint64_t file_size_;
  TorchTensors tensors_;
  std::unique_ptr<Pickle> pickle_;
};

TorchFile::TorchFile(const std::filesystem::path& path, Unknown unknown) : path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found)
    throw Error(ErrorCode::NotFound, "There is no file \"" + path.string() + "\".");
  const std::string prefix = "\"" + path.string() + "\" can't be read: ";
  if (!std::filesystem::is_regular_file(status))  // a FIFO would be waited for
    throw Error(ErrorCode::OpenRead, prefix + "it is not a file.");
  try {
    reader_ = std::make_unique<Reader>(path, unknown);
  } catch (const Error& e) {
    throw Error(e.code(), prefix + e.what() + ".");
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::OpenRead, prefix + first_line(e.what_without_backtrace()));
  }
}

TorchFile::~TorchFile() = default;

const PickleValue& TorchFile::root() const { return reader_->root(); }

NamedTensors TorchFile::state_dict() const {
  constexpr uint64_t kMostShared = 8;  // parameters that share values have some each when written
  const PickleValue* nested = root().find("state_dict");
  NamedTensors tensors;
  uint64_t bytes = 0;
  for (const auto& [name, value] : (nested ? nested : &root())->entries) {
    const auto* text = name->as<std::string>();
    const auto* tensor = value->as<at::Tensor>();
    if (!text || !tensor) continue;
    tensors[*text] = *tensor;
    bytes += tensor->nbytes();
    if (bytes / kMostShared > reader_->file_size())
      throw Error(ErrorCode::OpenRead,
                  "\"" + path_.string() + "\" has tensors that are larger than the file.");
  }
  if (tensors.empty())
    throw Error(ErrorCode::OpenRead, "\"" + path_.string() + "\" holds no dict of tensors.");
  return tensors;
}

bool TorchFile::is_one(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string start = start_of(file, kPlain.size());
  return start.starts_with(kZip) || start == kPlain;
}

}  // namespace patchcore
