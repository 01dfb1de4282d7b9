// The daemon's configuration file, as docs describe it. The same rules as for workflows: unknown keys, wrong types and
// duplicates are errors with line and column, all of them in one pass.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/result.hpp>
#include <baton/base/time.hpp>
#include <baton/service/secrets.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::service {

// A worker on the daemon's own host. Zero amounts: what the host has.
struct WorkerConfig {
  std::string name;
  std::vector<std::string> labels;  // sorted
  std::int64_t cpu_milli = 0;
  std::int64_t memory_bytes = 0;
  std::optional<std::int64_t> gpu_milli;  // nullopt: auto
  std::map<std::string, std::int64_t> custom_milli;
  SourcePos pos;
  // Positions do not count.
  bool operator==(const WorkerConfig& other) const {
    return name == other.name && labels == other.labels && cpu_milli == other.cpu_milli &&
           memory_bytes == other.memory_bytes && gpu_milli == other.gpu_milli && custom_milli == other.custom_milli;
  }
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

struct Config {
  std::vector<WorkerConfig> workers;  // never empty: without any, one named `local`
  std::map<std::string, std::int64_t> pools;
  struct {
    std::optional<Duration> runs, logs;
  } retention;
  LogLevel log_level = LogLevel::info;
  bool log_json = false;
  std::map<std::string, SecretSource> secrets;
};

struct ConfigResult {
  std::optional<Config> config;  // nullopt if a diagnostic is an error
  std::vector<Diagnostic> diagnostics;
};

// An empty text gives the defaults.
ConfigResult parse_config(std::string_view file_name, std::string_view text);

// Reads and parses `path`; if it does not exist: the defaults, unless `must_exist`. An error is one line: all
// that is wrong, with the positions.
Result<Config> load_config(const std::string& path, bool must_exist);

}  // namespace baton::service
