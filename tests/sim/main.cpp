// The simulator's command line; see README.md.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "disk.hpp"
#include "enumerate.hpp"
#include "mutations.hpp"
#include "runs.hpp"

namespace baton::sim {
namespace {

struct Options {
  Range range;
  Manner manner;
  std::optional<std::uint64_t> seed;
  std::string seeds_file;
  bool mutations = false, enumerate = false;
};

int usage() {
  fmt::print(stderr,
             "sim (--seed N [--trace] | --seeds COUNT [--from N] [--jobs N] | --seeds-file FILE) [--digest] [--twice]\n"
             "    [--mutation NAME]\n"
             "sim --mutations | --enumerate\n");
  return 2;
}

// False: not an option, or without its value.
bool take_option(Options& options, std::string_view name, const char* value, bool& took_value) {
  if (name == "--trace") return options.manner.trace = true;
  if (name == "--digest") return options.manner.digest = true;
  if (name == "--twice") return options.manner.twice = true;
  if (name == "--mutations") return options.mutations = true;
  if (name == "--enumerate") return options.enumerate = true;
  took_value = true;
  if (value == nullptr) return false;
  if (name == "--mutation") return activate(value);
  const std::uint64_t number = std::strtoull(value, nullptr, 10);
  if (name == "--seeds-file")
    options.seeds_file = value;
  else if (name == "--seed")
    options.seed = number;
  else if (name == "--seeds")
    options.range.count = number;
  else if (name == "--from")
    options.range.first = number;
  else if (name == "--jobs")
    options.range.jobs = std::max<std::uint64_t>(1, number);
  else
    return false;
  return true;
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    bool took_value = false;
    if (!take_option(options, argv[i], i + 1 < argc ? argv[i + 1] : nullptr, took_value)) return usage();
    i += took_value ? 1 : 0;
  }
  spdlog::set_level(options.manner.trace ? spdlog::level::info : spdlog::level::off);
  name_seed_on_abort();
  Disk::install();
  if (options.mutations) return run_mutations(1'000);
  if (options.enumerate) return run_enumeration();
  if (!options.seeds_file.empty()) return run_file(options.seeds_file, options.manner);
  if (options.range.count > 0) return run_seeds(options.range, options.manner);
  if (options.seed) return run_seed(*options.seed, options.manner);
  return usage();
}

}  // namespace
}  // namespace baton::sim

int main(int argc, char** argv) { return baton::sim::run(argc, argv); }
