// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pickle_bytes.hpp"

#include <glib.h>

#include "error.hpp"

namespace patchcore {

void refuse_pickle(const std::string& why) {
  throw Error(ErrorCode::OpenRead, "it is no pickle that can be read: " + why);
}

std::string PickleBytes::take(uint64_t count) {
  if (count > bytes_.size() - at_) refuse_pickle("it ends too early");
  std::string taken(bytes_.data() + at_, count);
  at_ += count;
  return taken;
}

std::string PickleBytes::line() {
  const std::string_view rest(bytes_.data() + at_, bytes_.size() - at_);
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) refuse_pickle("it ends too early");
  at_ += end + 1;
  return std::string(rest.substr(0, end));
}

std::string PickleBytes::text(uint64_t count) {
  std::string taken = take(count);
  if (!g_utf8_validate(taken.data(), static_cast<gssize>(taken.size()), nullptr))
    refuse_pickle("a text is not UTF-8");
  return taken;
}

double PickleBytes::big_endian_double() {
  const auto bits = number<uint64_t>();
  return std::bit_cast<double>(GUINT64_FROM_BE(bits));
}

}  // namespace patchcore
