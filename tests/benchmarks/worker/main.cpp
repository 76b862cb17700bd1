// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures this library on request: a JSON object a line on standard input, each answered by one
// on standard output, {"error": ...} where it failed. tests/benchmarks/speed/serving.py describes
// the requests that the peers answer too.
//
//     benchmark-worker THREADS

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "coreset.hpp"
#include "error.hpp"
#include "pictures.hpp"
#include "safetensors.hpp"

namespace {

using namespace patchcore;
using nlohmann::json;

/// Seconds that a piece of work takes, with what it left to a GPU.
template <typename Work>
double seconds(c10::Device device, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  if (device.is_cuda())
    at::zeros({1}, at::TensorOptions(device)).cpu();  // waits for what came before
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

at::Tensor read(const json& request, const char* file, const char* tensor) {
  return SafetensorsReader(request.at(file).get<std::string>())
      .tensor(request.at(tensor).get<std::string>());
}

void write(const json& request, const std::map<std::string, at::Tensor>& tensors) {
  write_safetensors(request.at("output").get<std::string>(), {}, tensors);
}

Projection projection_of(const std::string& preset) {
  return Settings::from_preset(parse_preset(preset)).projection;
}

class Worker {
 public:
  json answer(const json& request) {
    static const std::map<std::string, json (Worker::*)(const json&)> commands{
        {"open", &Worker::open},      {"pictures", &Worker::pictures},
        {"score", &Worker::score},    {"results", &Worker::results},
        {"embed", &Worker::embed},    {"index", &Worker::index},
        {"search", &Worker::search},  {"neighbours", &Worker::neighbours},
        {"coreset", &Worker::coreset}};
    const auto name = request.at("do").get<std::string>();
    const auto found = commands.find(name);
    if (found == commands.end()) return {{"error", "There is no command " + name + "."}};
    return (this->*found->second)(request);
  }

 private:
  /// A bank file, its network's weights, device, precision.
  json open(const json& request) {
    device_ = parse_device(request.at("device").get<std::string>());
    const double took = seconds(device_, [&] {
      detector_ = open_bank(request.at("bank"), request.at("weights"), request.at("device"),
                            request.at("precision"));
    });
    return {{"seconds", took}};
  }

  json pictures(const json& request) {
    pictures_.emplace(request.at("file").get<std::string>());
    return {{"count", pictures_->count()}};
  }

  /// "count" pictures from "first" on, again from picture 0 behind the last.
  json score(const json& request) {
    require(detector_ && pictures_, "open and pictures come first");
    std::vector<int64_t> indices(request.at("count").get<size_t>());
    for (size_t i = 0; i < indices.size(); ++i)
      indices[i] =
          (request.at("first").get<int64_t>() + static_cast<int64_t>(i)) % pictures_->count();
    return {{"seconds", seconds(device_, [&] {
               pictures_->score(*detector_, indices, request.at("batch"));
             })}};
  }

  /// What is found of the pictures "indices": "scores" N, "maps" N x H x W.
  json results(const json& request) {
    require(detector_ && pictures_, "open and pictures come first");
    const auto indices = request.at("indices").get<std::vector<int64_t>>();
    std::vector<double> scores;
    std::vector<at::Tensor> maps;
    for (const Result& result : pictures_->score(*detector_, indices, request.at("batch"))) {
      scores.push_back(result.score);
      maps.push_back(result.map);
    }
    write(request, {{"scores", at::tensor(scores, at::kDouble)}, {"maps", at::stack(maps)}});
    return json::object();
  }

  /// The patches of a file of pictures, without a bank.
  json embed(const json& request) {
    BackboneOptions options;
    options.name = request.at("backbone");
    options.weights = request.at("weights");
    options.device = request.at("device");
    options.precision = parse_precision(request.at("precision").get<std::string>());
    const auto backbone = Backbone::get(options);
    const Settings settings =
        Settings::from_preset(parse_preset(request.at("preset").get<std::string>()));
    write(request, {{"rows", Pictures(request.at("file")).embed(*backbone, settings)}});
    return json::object();
  }

  /// Vectors to search, and those that they are searched for.
  json index(const json& request) {
    device_ = parse_device(request.at("device").get<std::string>());
    queries_ = read(request, "queries", "queries_tensor").to(device_);
    const at::Tensor rows = read(request, "file", "tensor").to(device_);
    return {{"seconds", seconds(device_, [&] { search_.emplace(rows); })}};
  }

  json search(const json& request) {
    require(search_.has_value(), "index comes first");
    const int64_t first = request.at("first");
    const at::Tensor queries = queries_.slice(0, first, first + request.at("count").get<int64_t>());
    return {{"seconds", seconds(device_, [&] { search_->search(queries, request.at("k")); })}};
  }

  /// What search() finds of all queries: "distances" and "rows", Q x k.
  json neighbours(const json& request) {
    require(search_.has_value(), "index comes first");
    const Neighbours found = search_->search(queries_, request.at("k"));
    write(request, {{"distances", found.distances.cpu()}, {"rows", found.rows.cpu()}});
    return json::object();
  }

  /// As a fit with that preset chooses them: "rows", the indices in the order of choice.
  json coreset(const json& request) {
    const c10::Device device = parse_device(request.at("device").get<std::string>());
    const at::Tensor rows = read(request, "file", "tensor").to(device);
    const auto preset = request.at("preset").get<std::string>();
    const uint64_t seed = request.at("seed");
    at::Tensor projected, chosen;
    const double projecting =
        seconds(device, [&] { projected = project(rows, projection_of(preset), seed); });
    const double choosing = seconds(device, [&] {
      const auto start = Settings::from_preset(parse_preset(preset)).coreset_start;
      chosen =
          greedy_k_center(projected, request.at("count"), coreset_seed(projected, start, seed));
    });
    std::map<std::string, at::Tensor> tensors{{"rows", chosen}};
    if (request.value("projected", false)) tensors["projected"] = projected.cpu();
    write(request, tensors);
    return {{"seconds", projecting + choosing}, {"projecting", projecting}};
  }

  static void require(bool ready, const char* what) {
    if (!ready) throw Error(ErrorCode::InvalidArgument, what);
  }

  c10::Device device_ = c10::kCPU;
  std::shared_ptr<const Detector> detector_;
  std::optional<Pictures> pictures_;
  std::optional<NearestNeighbour> search_;
  at::Tensor queries_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: benchmark-worker THREADS\n";
    return 2;
  }
  at::set_num_threads(std::stoi(argv[1]));
  const c10::InferenceMode no_gradients;
  Worker worker;
  std::cout << json{{"ready", true}, {"threads", at::get_num_threads()}} << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    json answer;
    try {
      answer = worker.answer(json::parse(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer << std::endl;
  }
}
