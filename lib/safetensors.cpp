// SPDX-License-Identifier: LGPL-2.1-or-later
#include "safetensors.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "atomic_file.hpp"

namespace patchcore {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMaxHeader = 16u << 20;  // a header of 100,000 tensors has some 10 MB
constexpr size_t kMaxDimensions = 8;
constexpr int kMaxDepth = 8;
constexpr size_t kChunk = 4u << 20;  // read or written between two looks at the monitor

struct TypeName {
  const char* name;
  at::ScalarType type;
};

constexpr TypeName kTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},    {"BOOL", at::kBool},
};

const char* type_name(at::ScalarType type) {
  for (const auto& known : kTypes)
    if (known.type == type) return known.name;
  throw Error(ErrorCode::InvalidArgument, "safetensors has no such tensor type.");
}

}  // namespace

void SafetensorsReader::refuse(const std::string& why) const {
  throw Error(ErrorCode::OpenRead,
              "\"" + path_.string() + "\" is not a readable safetensors file: " + why);
}

SafetensorsReader::SafetensorsReader(const fs::path& path, Monitor monitor)
    : path_(path), monitor_(std::move(monitor)) {
  std::error_code error;
  auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    throw Error(ErrorCode::NotFound, "There is no file \"" + path.string() + "\".");
  if (error) refuse(error.message() + ".");
  if (!fs::is_regular_file(status)) refuse("it is not a regular file.");
  file_ = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file_) refuse(std::strerror(errno) + std::string("."));
  open();
}

SafetensorsReader::SafetensorsReader(const std::string& name, std::string_view bytes)
    : path_(name), file_(std::make_unique<std::istringstream>(std::string(bytes))) {
  open();
}

void SafetensorsReader::open() {
  file_->seekg(0, std::ios::end);
  file_size_ = static_cast<uint64_t>(file_->tellg());
  parse_header(read_header());
  check_layout();
}

void SafetensorsReader::parse_header(const std::string& text) {
  // Nesting that no header has would take a hundred times the file's size in memory.
  const auto shallow = [this](int depth, json::parse_event_t, json&) {
    monitor_.check();
    if (depth > kMaxDepth) refuse("its header is nested too deeply.");
    return true;
  };
  // The parser takes a zero byte for the end and would leave the rest unread.
  const json header = text.find('\0') == std::string::npos
                          ? json::parse(text, shallow, /*allow_exceptions=*/false)
                          : json();
  if (!header.is_object()) refuse("its header is not a JSON object.");
  for (const auto& [name, value] : header.items()) {
    monitor_.check();
    if (name != "__metadata__") {
      entries_.emplace(name, parse_entry(name, &value));
      continue;
    }
    if (!value.is_object()) refuse("__metadata__ is not an object.");
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) refuse("__metadata__ holds something other than strings.");
      metadata_.emplace(key, entry.get<std::string>());
    }
  }
}

std::string SafetensorsReader::read_header() {
  std::array<unsigned char, 8> raw;
  if (file_size_ < raw.size()) refuse("it has " + std::to_string(file_size_) + " bytes.");
  file_->seekg(0);
  file_->read(reinterpret_cast<char*>(raw.data()), raw.size());
  uint64_t length = 0;
  for (size_t i = raw.size(); i-- > 0;) length = length << 8 | raw[i];
  if (length > kMaxHeader || length > file_size_ - raw.size())
    refuse("its header would have " + std::to_string(length) + " bytes.");
  std::string header(length, '\0');
  if (!file_->read(header.data(), static_cast<std::streamsize>(length)))
    refuse("it can't be read.");
  data_start_ = raw.size() + length;
  return header;
}

SafetensorsReader::Entry SafetensorsReader::parse_entry(const std::string& name,
                                                        const void* raw) const {
  const json& value = *static_cast<const json*>(raw);
  const std::string at = "the tensor \"" + name + "\" ";
  if (!value.is_object()) refuse(at + "is no object.");
  // Not value(), which copies: a copy of nested arrays recurses, and the stack is finite.
  static const auto& kNone = *new json;
  const auto member = [&](const char* key) -> const json& {
    const auto found = value.find(key);
    return found == value.end() ? kNone : *found;
  };
  const json &type = member("dtype"), &shape = member("shape"), &span = member("data_offsets");
  auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                            [&](const TypeName& t) { return type == t.name; });
  if (known == std::end(kTypes)) refuse(at + "has an unknown type.");
  if (!shape.is_array() || shape.size() > kMaxDimensions) refuse(at + "has no sensible shape.");
  if (!span.is_array() || span.size() != 2 || !span[0].is_number_unsigned() ||
      !span[1].is_number_unsigned())
    refuse(at + "has no sensible data_offsets.");

  Entry entry{known->type, {}, 0, c10::elementSize(known->type)};
  auto stride = static_cast<int64_t>(entry.bytes);  // which a side of 0 doesn't end
  for (const auto& side : shape) {
    if (!side.is_number_unsigned()) refuse(at + "has no sensible shape.");
    const auto length = side.get<uint64_t>();
    if (length > file_size_ ||
        __builtin_mul_overflow(stride, std::max<uint64_t>(length, 1), &stride))
      refuse(at + "is larger than the file.");
    entry.bytes *= length;
    entry.shape.push_back(static_cast<int64_t>(length));
  }
  const auto begin = span[0].get<uint64_t>(), end = span[1].get<uint64_t>();
  if (begin > end || end > file_size_ - data_start_) refuse(at + "ends behind the file's end.");
  if (end - begin != entry.bytes) refuse(at + "doesn't have the size that its shape says.");
  entry.offset = data_start_ + begin;
  return entry;
}

void SafetensorsReader::check_layout() const {
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (const auto& [name, entry] : entries_) spans.emplace_back(entry.offset, entry.bytes);
  std::sort(spans.begin(), spans.end());
  uint64_t at = data_start_;
  for (const auto& [offset, bytes] : spans) {
    if (offset != at) refuse("its tensors overlap or leave gaps.");
    at += bytes;
  }
  if (at != file_size_) refuse("it has bytes behind its last tensor.");
}

std::vector<std::string> SafetensorsReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

at::Tensor SafetensorsReader::tensor(const std::string& name) {
  auto found = entries_.find(name);
  if (found == entries_.end()) refuse("it has no tensor \"" + name + "\".");
  const Entry& entry = found->second;
  at::Tensor tensor = at::empty(entry.shape, at::TensorOptions(entry.type));
  file_->clear();
  file_->seekg(static_cast<std::streamoff>(entry.offset));
  auto* data = static_cast<char*>(tensor.data_ptr());
  for (uint64_t done = 0; done < entry.bytes; done += kChunk) {
    monitor_.check();
    const auto size = std::min<uint64_t>(kChunk, entry.bytes - done);
    if (!file_->read(data + done, static_cast<std::streamsize>(size)))
      refuse("the tensor \"" + name + "\" can't be read.");
  }
  return tensor;
}

namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Those of wide elements first, as Python's package has it, so that all of them are aligned.
NamedTensors in_file_order(const std::map<std::string, at::Tensor>& tensors) {
  NamedTensors ordered(tensors.begin(), tensors.end());
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });
  return ordered;
}

std::string make_header(const std::map<std::string, std::string>& metadata,
                        const NamedTensors& tensors) {
  json header = json::object();
  header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Invalid UTF-8, as a path may hold, is replaced rather than thrown about.
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start aligned, so that they can be mapped
  return text;
}

}  // namespace

void write_safetensors(const fs::path& path, const std::map<std::string, std::string>& metadata,
                       const std::map<std::string, at::Tensor>& tensors, const Monitor& monitor) {
  const NamedTensors ordered = in_file_order(tensors);
  const std::string header = make_header(metadata, ordered);
  std::array<char, 8> length;
  for (size_t i = 0; i < length.size(); ++i)
    length[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> 8 * i);

  AtomicFile file(path);
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : ordered) {
    const at::Tensor host = tensor.cpu().contiguous();
    const char* data = static_cast<const char*>(host.data_ptr());
    for (size_t done = 0; done < host.nbytes(); done += kChunk) {
      monitor.check();
      file.write(data + done, std::min(kChunk, host.nbytes() - done));
    }
  }
  file.commit();
}

}  // namespace patchcore
