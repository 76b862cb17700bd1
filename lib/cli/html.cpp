// SPDX-License-Identifier: LGPL-2.1-or-later
#include "html.hpp"

#include <glib.h>

#include <cmath>
#include <memory>

namespace patchcore::cli {
namespace {

using GString = std::unique_ptr<gchar, decltype(&g_free)>;

bool in_xml(gunichar c) {
  if (c < 0x20) return c == '\t' || c == '\n';
  return !(c >= 0x7f && c < 0xa0) && c != 0xfffe && c != 0xffff;
}

void append(std::string& text, gunichar c) {
  switch (c) {
    case '&': text += "&amp;"; return;
    case '<': text += "&lt;"; return;
    case '>': text += "&gt;"; return;
    case '"': text += "&quot;"; return;
    case '\'': text += "&#39;"; return;
    default: break;
  }
  char utf8[6];
  text.append(utf8, static_cast<size_t>(g_unichar_to_utf8(in_xml(c) ? c : 0xfffd, utf8)));
}

}  // namespace

std::string html_text(const std::string& bytes) {
  const GString valid(g_utf8_make_valid(bytes.data(), static_cast<gssize>(bytes.size())), g_free);
  std::string text;
  for (const gchar* at = valid.get(); *at; at = g_utf8_next_char(at))
    append(text, g_utf8_get_char(at));
  return text;
}

std::string data_uri(const std::string& type, const std::string& bytes) {
  const GString base64(g_base64_encode(reinterpret_cast<const guchar*>(bytes.data()), bytes.size()),
                       g_free);
  return "data:" + type + ";base64," + base64.get();
}

std::string fixed(double value, int decimals) {
  char text[64];
  g_snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace patchcore::cli
