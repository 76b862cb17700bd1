// SPDX-License-Identifier: LGPL-2.1-or-later
#include "actions.hpp"

#include <array>

namespace gstpatchcore {
namespace {

std::shared_ptr<Stream> (*find_stream)(gpointer element);

gboolean finish_fit(GstElement* element) {
  const auto stream = find_stream(element);
  return stream && stream->session().finish_fit();
}

gboolean save_bank(GstElement* element, const gchar* location) {
  const auto stream = find_stream(element);
  return stream && stream->session().save_bank(location ? location : "");
}

gboolean reset(GstElement* element) {
  const auto stream = find_stream(element);
  if (!stream) return FALSE;
  stream->forget();
  return stream->session().reset();
}

gboolean add_normal(GstElement* element, guint64 from, guint64 to) {
  const auto stream = find_stream(element);
  return stream && stream->session().add_normal(from, to);
}

}  // namespace

void install_actions(GType type, std::shared_ptr<Stream> (*stream_of)(gpointer element)) {
  find_stream = stream_of;
  const auto add = [&](const char* name, GCallback handler, guint n, std::array<GType, 2> types) {
    g_signal_newv(name, type, static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                  g_cclosure_new(handler, nullptr, nullptr), nullptr, nullptr, nullptr,
                  G_TYPE_BOOLEAN, n, types.data());
  };
  add("finish-fit", G_CALLBACK(finish_fit), 0, {});
  add("save-bank", G_CALLBACK(save_bank), 1, {G_TYPE_STRING});
  add("reset", G_CALLBACK(reset), 0, {});
  add("add-normal", G_CALLBACK(add_normal), 2, {G_TYPE_UINT64, G_TYPE_UINT64});
}

}  // namespace gstpatchcore
