// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "config.hpp"

namespace gstpatchcore {

constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
constexpr auto kWrite = static_cast<GParamFlags>(kRead | G_PARAM_WRITABLE);
constexpr auto kReady = static_cast<GParamFlags>(kWrite | GST_PARAM_MUTABLE_READY);
constexpr auto kPlaying = static_cast<GParamFlags>(kWrite | GST_PARAM_MUTABLE_PLAYING);
constexpr auto kControlled = static_cast<GParamFlags>(kPlaying | GST_PARAM_CONTROLLABLE);

/// A property that is a member of Config or LiveConfig, whose initial value is its default.
struct Property {
  GParamSpec* spec;
  void (*set)(Config& config, LiveConfig& live, const GValue* value);
  void (*get)(const Config& config, const LiveConfig& live, GValue* value);
};

/// How a type of C++ lies in a GValue.
void put(GValue* value, bool content);
void put(GValue* value, guint content);
void put(GValue* value, guint64 content);
void put(GValue* value, gdouble content);
void put(GValue* value, const std::string& content);  ///< empty: NULL; of an enum: its nick
void put(GValue* value, const std::vector<std::string>& content);
void put(GValue* value, const std::map<std::string, std::string>& content);
void take(const GValue* value, bool& content);
void take(const GValue* value, guint& content);
void take(const GValue* value, guint64& content);
void take(const GValue* value, gdouble& content);
void take(const GValue* value, std::string& content);
void take(const GValue* value, std::vector<std::string>& content);
void take(const GValue* value, std::map<std::string, std::string>& content);
template <typename Enum>
requires std::is_enum_v<Enum>
void put(GValue* value, Enum content) { g_value_set_enum(value, static_cast<gint>(content)); }
template <typename Enum>
requires std::is_enum_v<Enum>
void take(const GValue* value, Enum& content) {
  content = static_cast<Enum>(g_value_get_enum(value));
}

template <auto Member>
auto& member_of(auto& config, auto& live) {
  if constexpr (requires { config.*Member; })
    return config.*Member;
  else
    return live.*Member;
}

template <auto Member>
Property make_property(GParamSpec* spec) {
  return {spec,
          [](Config& config, LiveConfig& live, const GValue* value) {
            take(value, member_of<Member>(config, live));
          },
          [](const Config& config, const LiveConfig& live, GValue* value) {
            put(value, member_of<Member>(config, live));
          }};
}

template <auto Member>
auto default_of() {
  const Config config;
  const LiveConfig live;
  return member_of<Member>(config, live);
}

/// guint, guint64 or gdouble.
template <auto Member>
Property number(const char* name, const char* nick, const char* blurb,
                decltype(default_of<Member>()) least, decltype(default_of<Member>()) most,
                GParamFlags flags) {
  const auto initial = default_of<Member>();
  if constexpr (std::is_same_v<decltype(least), guint>)
    return make_property<Member>(g_param_spec_uint(name, nick, blurb, least, most, initial, flags));
  else if constexpr (std::is_same_v<decltype(least), guint64>)
    return make_property<Member>(
        g_param_spec_uint64(name, nick, blurb, least, most, initial, flags));
  else
    return make_property<Member>(
        g_param_spec_double(name, nick, blurb, least, most, initial, flags));
}

template <auto Member>
Property boolean(const char* name, const char* nick, const char* blurb, GParamFlags flags) {
  return make_property<Member>(
      g_param_spec_boolean(name, nick, blurb, default_of<Member>(), flags));
}

template <auto Member>
Property text(const char* name, const char* nick, const char* blurb, GParamFlags flags) {
  const std::string initial = default_of<Member>();
  return make_property<Member>(
      g_param_spec_string(name, nick, blurb, initial.empty() ? nullptr : initial.c_str(), flags));
}

/// The value of a list of an enum's values that has this nick; the first one's where none has.
gint value_of(const GEnumValue* values, const std::string& nick);

GType enum_type(const char* name, const GEnumValue* values);

/// An enum class, or a string that holds a nick. values: in the order of the values from 0 on.
template <auto Member>
Property choice(const char* name, const char* nick, const char* blurb, const char* type,
                const GEnumValue* values, GParamFlags flags) {
  gint initial;
  if constexpr (std::is_enum_v<decltype(default_of<Member>())>)
    initial = static_cast<gint>(default_of<Member>());
  else
    initial = value_of(values, default_of<Member>());
  return make_property<Member>(
      g_param_spec_enum(name, nick, blurb, enum_type(type, values), initial, flags));
}

/// A GstStructure with a field an entry; values of any type are kept as their text.
template <auto Member>
Property structure(const char* name, const char* nick, const char* blurb, GParamFlags flags) {
  return make_property<Member>(g_param_spec_boxed(name, nick, blurb, GST_TYPE_STRUCTURE, flags));
}

template <auto Member>
Property texts(const char* name, const char* nick, const char* blurb, GParamSpec* element,
               GParamFlags flags) {
  return make_property<Member>(gst_param_spec_array(name, nick, blurb, element, flags));
}

}  // namespace gstpatchcore
