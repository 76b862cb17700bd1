// SPDX-License-Identifier: LGPL-2.1-or-later
#include "property.hpp"

namespace gstpatchcore {
namespace {

const GEnumValue* values_of(const GValue* value) {
  return G_ENUM_CLASS(g_type_class_peek(G_VALUE_TYPE(value)))->values;
}

std::string text_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text ? text : "";
}

}  // namespace

void put(GValue* value, bool content) { g_value_set_boolean(value, content); }
void put(GValue* value, guint content) { g_value_set_uint(value, content); }
void put(GValue* value, guint64 content) { g_value_set_uint64(value, content); }
void put(GValue* value, gdouble content) { g_value_set_double(value, content); }

void put(GValue* value, const std::string& content) {
  if (G_VALUE_HOLDS_ENUM(value))
    g_value_set_enum(value, value_of(values_of(value), content));
  else
    g_value_set_string(value, content.empty() ? nullptr : content.c_str());
}

void put(GValue* value, const std::vector<std::string>& content) {
  for (const std::string& one : content) {
    GValue text = G_VALUE_INIT;
    g_value_init(&text, G_TYPE_STRING);
    g_value_set_string(&text, one.c_str());
    gst_value_array_append_and_take_value(value, &text);
  }
}

/// No entries: no structure.
void put(GValue* value, const std::map<std::string, std::string>& content) {
  if (content.empty()) return;
  GstStructure* fields = gst_structure_new_empty("settings");
  for (const auto& [name, text] : content)
    gst_structure_set(fields, name.c_str(), G_TYPE_STRING, text.c_str(), nullptr);
  g_value_take_boxed(value, fields);
}

void take(const GValue* value, bool& content) { content = g_value_get_boolean(value); }
void take(const GValue* value, guint& content) { content = g_value_get_uint(value); }
void take(const GValue* value, guint64& content) { content = g_value_get_uint64(value); }
void take(const GValue* value, gdouble& content) { content = g_value_get_double(value); }

void take(const GValue* value, std::string& content) {
  content = G_VALUE_HOLDS_ENUM(value) ? values_of(value)[g_value_get_enum(value)].value_nick
                                      : text_of(value);
}

void take(const GValue* value, std::vector<std::string>& content) {
  content.clear();
  for (guint i = 0; i < gst_value_array_get_size(value); ++i)
    content.push_back(text_of(gst_value_array_get_value(value, i)));
}

void take(const GValue* value, std::map<std::string, std::string>& content) {
  content.clear();
  const auto* fields = static_cast<const GstStructure*>(g_value_get_boxed(value));
  for (gint i = 0; fields && i < gst_structure_n_fields(fields); ++i) {
    const gchar* name = gst_structure_nth_field_name(fields, static_cast<guint>(i));
    const GValue* field = gst_structure_get_value(fields, name);
    g_autofree gchar* text =
        G_VALUE_HOLDS_STRING(field) ? g_value_dup_string(field) : gst_value_serialize(field);
    content[name] = text ? text : "";
  }
}

gint value_of(const GEnumValue* values, const std::string& nick) {
  for (const GEnumValue* each = values; each->value_nick; ++each)
    if (nick == each->value_nick) return each->value;
  return values->value;
}

GType enum_type(const char* name, const GEnumValue* values) {
  const GType known = g_type_from_name(name);
  return known ? known : g_enum_register_static(name, values);
}

}  // namespace gstpatchcore
