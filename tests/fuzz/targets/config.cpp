// config.yaml.
#include <baton/base/text.hpp>
#include <baton/service/config.hpp>

#include <set>

#include "../target.hpp"

namespace baton::fuzz {

void config(std::string_view input) {
  const service::ConfigResult result = service::parse_config("config.yaml", input);
  holds(result.config.has_value() != has_errors(result.diagnostics), "a configuration, or errors, never both");
  if (!result.config) return;
  std::set<std::string> names;
  for (const service::WorkerConfig& worker : result.config->workers) {
    holds(is_name(worker.name) && names.insert(worker.name).second, "workers have names, each its own");
    holds(worker.cpu_milli >= 0 && worker.memory_bytes >= 0, "a worker's amounts are not negative");
    for (const auto& [name, amount] : worker.custom_milli) holds(amount >= 0, "a resource is not negative");
  }
  holds(!names.empty(), "there is a worker");
  for (const auto& [name, slots] : result.config->pools) holds(slots >= 0, "a pool has no fewer slots than none");
}

}  // namespace baton::fuzz
