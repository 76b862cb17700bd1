// SPDX-License-Identifier: LGPL-2.1-or-later
// Checkpoints with the keys that anomalib 2.7.0's have (anomalib_files.py). That the scores are
// anomalib's: tests/parity/anomalib.
#include <cmath>
#include <sstream>

#include "safetensors.hpp"
#include "torch_file.hpp"
#include "workshop.hpp"

using namespace workshop;
namespace fs = std::filesystem;

namespace {

constexpr int kFailed = 1;

const TemporaryFolder* files = nullptr;

Run import(const std::string& checkpoint, const fs::path& bank, const Arguments& more = {}) {
  return run(
      join({"bank", "import", "--checkpoint", files->file(checkpoint), "--output", bank}, more));
}

nlohmann::json imported(const std::string& checkpoint, const fs::path& bank) {
  const Run done = import(checkpoint, bank);
  ck_assert_msg(done.status == 0, "%s", done.err.c_str());
  return nlohmann::json::parse(output_of({"bank", "info", "--json", bank}));
}

/// The float above which anomalib's > holds is the least at which our >= does.
void assert_just_above(const nlohmann::json& ours, double line) {
  ck_assert_double_gt(ours, static_cast<float>(line));
  ck_assert_double_eq_tol(ours, line, 1e-6);
}

START_TEST(rows_network_and_sizes_are_taken) {
  const fs::path folder = fresh(), bank = folder / "bank.safetensors";
  const auto info = imported("model.ckpt", bank);
  ck_assert(info["rows"] == 20 && info["width"] == 192);
  const nlohmann::json expected{{"backbone", "resnet18"},
                                {"layers", "layer1,layer2"},
                                {"preset", "anomalib"},
                                {"resize", "96x64"},
                                {"crop", "0"},
                                {"num_neighbours", "5"},
                                {"image_scoring", "reweighted"}};
  for (const auto& [key, value] : expected.items()) {
    const std::string ours = info["settings"][key];
    ck_assert_msg(ours == value, "%s is %s", key.c_str(), ours.c_str());
  }
  const auto state =
      patchcore::TorchFile(files->file("model.ckpt"), patchcore::TorchFile::Unknown::Ignore)
          .state_dict();
  ck_assert(patchcore::SafetensorsReader(bank).tensor("bank").equal(state.at("model.memory_bank")));
}
END_TEST

START_TEST(the_networks_weights_lie_beside_the_bank_under_torchvisions_names) {
  const fs::path folder = fresh(), bank = folder / "bank.safetensors";
  const auto info = imported("model.ckpt", bank);
  const fs::path weights = folder / "bank.weights.safetensors";
  assert_text(info["weights_location"], weights);
  ck_assert(scores(bank, shared("train")).size() == 6);
  patchcore::SafetensorsReader reader(weights);
  const auto state =
      patchcore::TorchFile(files->file("model.ckpt"), patchcore::TorchFile::Unknown::Ignore)
          .state_dict();
  for (const char* name : {"conv1.weight", "bn1.running_var", "layer1.1.conv2.weight",
                           "layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias"})
    ck_assert(reader.tensor(name).equal(
        state.at(std::string("model.feature_extractor.feature_extractor.") + name)));
}
END_TEST

START_TEST(weights_go_where_they_are_told_to) {
  const fs::path folder = fresh(), bank = folder / "bank", weights = folder / "net";
  ck_assert_int_eq(import("model.ckpt", bank, {"--weights-output", weights}).status, 0);
  const auto info = nlohmann::json::parse(output_of({"bank", "info", "--json", bank}));
  assert_text(info["weights_location"], weights);
  ck_assert(fs::exists(weights));
}
END_TEST

// As PostProcessor has it: normalized = (score - threshold) / (max - min) + 0.5, and anomalous
// above 0.5; without masks the image's threshold is the pixels' too. Ours, with z = (score -
// threshold) / (threshold - median), is 0.5 + 0.5 z / (1 + |z|): as steep at the threshold where
// threshold - median = (max - min) / 2.
START_TEST(thresholds_are_anomalibs_and_the_scale_is_as_steep_there) {
  const auto info = imported("model.ckpt", fresh() / "bank.safetensors");
  assert_just_above(info["threshold"], 0.8);
  assert_just_above(info["pixel_threshold"], 0.8);
  ck_assert_double_eq_tol(info["median"], 0.8 - (1.2 - 0.2) / 2, 1e-6);
}
END_TEST

// Anomalous is what has a normalized score above 1 - sensitivity.
START_TEST(sensitivities_move_the_thresholds) {
  const auto info = imported("other.ckpt", fresh() / "bank.safetensors");
  assert_just_above(info["threshold"], 0.8 + (0.5 - 0.75) * (1.2 - 0.2));
  assert_just_above(info["pixel_threshold"], 0.6 + (0.5 - 0.25) * (2.1 - 0.1));
}
END_TEST

START_TEST(a_crop_and_a_single_neighbour_and_a_tagged_name_are_taken) {
  const auto settings = imported("other.ckpt", fresh() / "bank.safetensors")["settings"];
  assert_text(settings["backbone"], "resnet18");
  assert_text(settings["resize"], "72");
  assert_text(settings["crop"], "64");
  // compute_anomaly_score: "Don't need to compute weights if num_neighbors is 1"
  assert_text(settings["image_scoring"], "maximum");
}
END_TEST

START_TEST(without_a_threshold_there_is_none_and_without_a_range_the_threshold_is_the_unit) {
  const fs::path folder = fresh();
  ck_assert(imported("no_threshold.ckpt", folder / "a")["threshold"].is_null());
  const auto info = imported("no_range.ckpt", folder / "b");
  assert_just_above(info["threshold"], 0.8);
  // Twice the threshold is a unit above it: 0.5 + 0.5 / 2.
  const auto first = scores(folder / "b", shared("train")).at(0);
  const double z = (first["score"].get<double>() - 0.8) / 0.8;
  ck_assert_double_eq_tol(first["normalized_score"], 0.5 + 0.5 * z / (1 + std::abs(z)), 1e-6);
}
END_TEST

START_TEST(what_cannot_be_imported_is_refused_and_leaves_nothing) {
  std::ifstream list(*files / "refused.txt");
  int count = 0;
  for (std::string line; std::getline(list, line); ++count) {
    const std::string file = line.substr(0, line.find('\t'));
    const fs::path folder = fresh();
    const Run refused = import(file, folder / "bank.safetensors");
    assert_refused(refused, kFailed, line.substr(line.find('\t') + 1));
    assert_refused(refused, kFailed, files->file(file));
    ck_assert_msg(fs::is_empty(folder), "%s left something", file.c_str());
  }
  ck_assert_int_gt(count, 20);
  ck_assert(!fs::exists(*files / "pwned"));
}
END_TEST

START_TEST(a_checkpoint_that_is_cut_off_is_named) {
  const std::string whole = read_file(files->file("model.ckpt"));
  const fs::path folder = fresh(), cut = folder / "cut.ckpt";
  for (const size_t length : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(cut, whole.substr(0, length));
    assert_refused(run({"bank", "import", "--checkpoint", cut, "--output", folder / "bank"}),
                   kFailed, cut);
  }
}
END_TEST

START_TEST(a_checkpoint_brings_its_own_network) {
  constexpr int kWrongUsage = 2;
  const fs::path bank = fresh() / "bank";
  assert_refused(import("model.ckpt", bank, {"--preset", "paper"}), kWrongUsage, "--preset");
  assert_refused(import("model.ckpt", bank, {"--backbone", "resnet18"}), kWrongUsage, "--backbone");
  assert_refused(import("model.ckpt", bank, {"--embeddings", "x"}), kWrongUsage, "--embeddings");
  assert_refused(run({"bank", "import", "--output", bank}), kWrongUsage, "--checkpoint");
  assert_refused(run({"bank", "import", "--embeddings", "x", "--output", bank}), kWrongUsage,
                 "--backbone");
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  const TemporaryFolder folder;
  files = &folder;
  const std::string command =
      "/usr/bin/python3 -B '" + std::string(argv[2]) + "' '" + folder.path().string() + "'";
  if (std::system(command.c_str()) != 0) return EXIT_FAILURE;
  return run_tests(
      2, argv, "import",
      {rows_network_and_sizes_are_taken,
       the_networks_weights_lie_beside_the_bank_under_torchvisions_names,
       weights_go_where_they_are_told_to, thresholds_are_anomalibs_and_the_scale_is_as_steep_there,
       sensitivities_move_the_thresholds, a_crop_and_a_single_neighbour_and_a_tagged_name_are_taken,
       without_a_threshold_there_is_none_and_without_a_range_the_threshold_is_the_unit,
       what_cannot_be_imported_is_refused_and_leaves_nothing, a_checkpoint_that_is_cut_off_is_named,
       a_checkpoint_brings_its_own_network});
}
