#include <sys/un.h>
#include <baton/base/locations.hpp>

#include <filesystem>

namespace baton {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;  // unix(7): with a final NUL

std::string non_empty(const EnvironmentLookup& environment, const char* name) {
  return environment(name).value_or(std::string());
}

std::string absolute_or_nothing(const EnvironmentLookup& environment, const char* name) {
  std::string value = non_empty(environment, name);
  return value.starts_with('/') ? value : std::string();
}

std::string made_absolute(const std::string& path, const std::string& current_dir) {
  std::string result = (fs::path(current_dir) / path).lexically_normal().string();
  while (result.size() > 1 && result.ends_with('/')) result.pop_back();
  return result;
}

// The XDG folder of Baton: $VARIABLE/baton, or ~/FALLBACK/baton.
Result<std::string> xdg_folder(const EnvironmentLookup& environment, const char* variable, const char* fallback) {
  if (const std::string base = absolute_or_nothing(environment, variable); !base.empty()) {
    return (fs::path(base) / "baton").lexically_normal().string();
  }
  const std::string home = absolute_or_nothing(environment, "HOME");
  if (home.empty()) {
    return fail(ErrorCode::invalid_argument, "neither HOME nor {} is set: say where with --state-dir and --config",
                variable);
  }
  return (fs::path(home) / fallback / "baton").lexically_normal().string();
}

// /run/user/1000 belongs to 1000, whoever the environment came to.
bool is_of_another_user(const std::string& runtime_dir, std::uint32_t uid) {
  constexpr std::string_view kPrefix = "/run/user/";
  return runtime_dir.starts_with(kPrefix) && runtime_dir.substr(kPrefix.size()) != std::to_string(uid);
}

}  // namespace

Result<Locations> locate(const EnvironmentLookup& environment, std::uint32_t uid, const std::string& current_dir,
                         const LocationOverrides& overrides) {
  const auto named = [&](const std::string& option, const char* variable) {
    const std::string value = option.empty() ? non_empty(environment, variable) : option;
    return value.empty() ? value : made_absolute(value, current_dir);
  };
  Locations result;
  result.state_dir = named(overrides.state_dir, "BATON_STATE_DIR");
  const bool state_named = !result.state_dir.empty();
  if (!state_named) {
    auto folder = xdg_folder(environment, "XDG_STATE_HOME", ".local/state");
    if (!folder) return std::unexpected(folder.error());
    result.state_dir = *std::move(folder);
  }

  result.socket = named(overrides.socket, "BATON_SOCKET");
  result.socket_named = !result.socket.empty();
  if (!result.socket_named) {
    std::string runtime_dir = absolute_or_nothing(environment, "XDG_RUNTIME_DIR");
    while (runtime_dir.size() > 1 && runtime_dir.ends_with('/')) runtime_dir.pop_back();
    const bool usable = !state_named && !runtime_dir.empty() && !is_of_another_user(runtime_dir, uid);
    result.socket = usable ? runtime_dir + "/baton/baton.sock" : result.state_dir + "/baton.sock";
  }
  if (result.socket.size() > kSocketPathBytes) {
    return fail(
        ErrorCode::invalid_argument,
        "the socket's path is longer than the {} bytes that Linux allows; choose a shorter one with --socket: {}",
        kSocketPathBytes, result.socket);
  }

  result.config = named(overrides.config, "BATON_CONFIG");
  result.config_named = !result.config.empty();
  if (!result.config_named) {
    // Without a home there is no configuration to miss.
    auto folder = xdg_folder(environment, "XDG_CONFIG_HOME", ".config");
    result.config = folder ? *folder + "/config.yaml" : result.state_dir + "/config.yaml";
  }
  return result;
}

}  // namespace baton
