// SPDX-License-Identifier: LGPL-2.1-or-later
// The element's properties are those of docs/properties.md, and may be changed when it says.

#include <gst/gst.h>

#include <map>
#include <sstream>

#include "../check_main.hpp"
#include "../files.hpp"

namespace {

struct Row {
  std::string type, default_value, when;
};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" `"), last = text.find_last_not_of(" `");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> all;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, '|');) all.push_back(trimmed(cell));
  if (!all.empty()) all.erase(all.begin());
  return all;
}

/// The rows of the tables that have the columns name, type, default, range, when, what.
std::map<std::string, Row> documented() {
  std::map<std::string, Row> rows;
  std::istringstream in(read_file(PROPERTIES_MD));
  bool table = false;
  for (std::string line; std::getline(in, line);) {
    const auto c = cells(line);
    if (c.size() < 6) {
      table = false;
    } else if (c[0] == "name" && c[4] == "when") {
      table = true;
    } else if (table && c[0].substr(0, 3) != "---") {
      rows[c[0]] = {c[1], c[2], c[4]};
    }
  }
  return rows;
}

/// The element's own, without those of GstObject.
std::map<std::string, GParamSpec*> installed() {
  std::map<std::string, GParamSpec*> specs;
  GstElement* element = gst_element_factory_make("patchcoredetect", nullptr);
  ck_assert_ptr_nonnull(element);
  guint count = 0;
  GParamSpec** all = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; ++i)
    if (all[i]->owner_type == G_OBJECT_TYPE(element)) specs[all[i]->name] = all[i];
  g_free(all);
  gst_object_unref(element);
  return specs;
}

std::string when(const GParamSpec* spec) {
  if (!(spec->flags & G_PARAM_WRITABLE)) return "read";
  std::string text = spec->flags & GST_PARAM_MUTABLE_PLAYING ? "playing" : "ready";
  if (spec->flags & GST_PARAM_CONTROLLABLE) text += ", c";
  return text;
}

std::string type(const GParamSpec* spec) {
  if (G_IS_PARAM_SPEC_ENUM(spec)) return "enum";
  if (G_IS_PARAM_SPEC_UINT(spec)) return "uint";
  if (G_IS_PARAM_SPEC_UINT64(spec)) return "uint64";
  if (G_IS_PARAM_SPEC_DOUBLE(spec)) return "double";
  if (G_IS_PARAM_SPEC_BOOLEAN(spec)) return "boolean";
  if (G_IS_PARAM_SPEC_STRING(spec)) return "string";
  if (GST_IS_PARAM_SPEC_ARRAY_LIST(spec)) return "array of strings";
  if (G_PARAM_SPEC_VALUE_TYPE(spec) == GST_TYPE_STRUCTURE) return "structure";
  return g_type_name(G_PARAM_SPEC_VALUE_TYPE(spec));
}

std::string default_value(const GParamSpec* spec) {
  const GValue* value = g_param_spec_get_default_value(const_cast<GParamSpec*>(spec));
  if (G_IS_PARAM_SPEC_ENUM(spec)) {
    auto* values = G_ENUM_CLASS(g_type_class_peek(G_PARAM_SPEC_VALUE_TYPE(spec)));
    return g_enum_get_value(values, g_value_get_enum(value))->value_nick;
  }
  if (G_IS_PARAM_SPEC_BOOLEAN(spec)) return g_value_get_boolean(value) ? "true" : "false";
  if (GST_IS_PARAM_SPEC_ARRAY_LIST(spec)) return "empty";
  if (G_IS_PARAM_SPEC_STRING(spec)) {
    const char* text = g_value_get_string(value);
    return text ? text : "none";
  }
  if (G_IS_PARAM_SPEC_BOXED(spec)) return g_value_get_boxed(value) ? "some" : "none";
  std::ostringstream text;
  if (G_IS_PARAM_SPEC_DOUBLE(spec)) text << g_value_get_double(value);
  if (G_IS_PARAM_SPEC_UINT(spec)) text << g_value_get_uint(value);
  if (G_IS_PARAM_SPEC_UINT64(spec)) text << g_value_get_uint64(value);
  return text.str();
}

}  // namespace

START_TEST(every_property_is_documented_and_no_other) {
  auto rows = documented();
  for (const auto& [name, spec] : installed()) {
    if (name == "stats") continue;  // has a section of its own
    ck_assert_msg(rows.count(name), "%s is not documented", name.c_str());
    rows.erase(name);
  }
  for (const auto& [name, row] : rows) ck_abort_msg("%s is not a property", name.c_str());
}
END_TEST

START_TEST(each_may_be_changed_when_the_documentation_says) {
  const auto rows = documented();
  for (const auto& [name, spec] : installed()) {
    if (name == "stats") continue;
    const std::string says = rows.at(name).when;
    ck_assert_msg(says == when(spec), "%s: %s, documented as %s", name.c_str(), when(spec).c_str(),
                  says.c_str());
  }
}
END_TEST

START_TEST(each_has_the_type_and_default_that_are_documented) {
  const auto rows = documented();
  for (const auto& [name, spec] : installed()) {
    if (name == "stats" || name.starts_with("active-bank")) continue;
    const Row& row = rows.at(name);
    ck_assert_msg(row.type == type(spec), "%s: %s", name.c_str(), type(spec).c_str());
    ck_assert_msg(row.default_value == default_value(spec), "%s: %s", name.c_str(),
                  default_value(spec).c_str());
  }
}
END_TEST

/// In the order of their names, each as text; serialized as a value in another structure.
constexpr const char* kSettings =
    R"("settings\,\ image_scoring\=\(string\)top-mean\,\ map_sigma\=\(string\)2.5\,)"
    R"(\ patch_size\=\(string\)5\;")";

START_TEST(each_reads_as_what_was_set) {
  GstElement* element = gst_parse_launch(
      "patchcoredetect mode=auto bank-location=a layers=\"<fine,coarse>\" realtime=yes "
      "max-latency=5 inference-region=roi roi-type=part inference-interval=7 alarm-frames=9 "
      "alarm-hysteresis=0.25 attach-map=true region-meta=roi history-bytes=11 camera-id=c "
      "false-alarm-rate=0.125 alarms-per-hour=2.5 folds=5 "
      "settings=\"settings,patch_size=5,map_sigma=(double)2.5,image_scoring=top-mean\"",
      nullptr);
  ck_assert_ptr_nonnull(element);
  const std::map<std::string, std::string> expected{{"mode", "auto"},
                                                    {"bank-location", "a"},
                                                    {"layers", "< (string)fine, (string)coarse >"},
                                                    {"realtime", "yes"},
                                                    {"max-latency", "5"},
                                                    {"inference-region", "roi"},
                                                    {"roi-type", "part"},
                                                    {"inference-interval", "7"},
                                                    {"alarm-frames", "9"},
                                                    {"alarm-hysteresis", "0.25"},
                                                    {"attach-map", "true"},
                                                    {"region-meta", "roi"},
                                                    {"history-bytes", "11"},
                                                    {"camera-id", "c"},
                                                    {"false-alarm-rate", "0.125"},
                                                    {"alarms-per-hour", "2.5"},
                                                    {"folds", "5"},
                                                    {"settings", kSettings}};
  for (const auto& [name, text] : expected) {
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name.c_str());
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_PARAM_SPEC_VALUE_TYPE(spec));
    g_object_get_property(G_OBJECT(element), name.c_str(), &value);
    gchar* serialized = gst_value_serialize(&value);
    assert_text(serialized, text.c_str());
    g_free(serialized);
    g_value_unset(&value);
  }
  gst_object_unref(element);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("properties");
  TCase* tests = tcase_create("properties");
  tcase_add_test(tests, every_property_is_documented_and_no_other);
  tcase_add_test(tests, each_may_be_changed_when_the_documentation_says);
  tcase_add_test(tests, each_has_the_type_and_default_that_are_documented);
  tcase_add_test(tests, each_reads_as_what_was_set);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
