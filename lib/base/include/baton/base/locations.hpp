// Where a user's Baton keeps its things. The CLI and the daemon follow the same rules, so that they meet without being
// configured.
#pragma once
#include <baton/base/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace baton {

struct Locations {
  std::string state_dir;      // database, logs, spool; absolute
  std::string socket;         // absolute, short enough for sockaddr_un
  bool socket_named = false;  // somebody named it, and means this one
  std::string config;         // absolute; need not exist, unless
  bool config_named = false;  // somebody named it
};

// What the command line says; empty: nothing. It wins over the environment.
struct LocationOverrides {
  std::string socket, state_dir, config;
};

// The value of an environment variable; nullopt if it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const char*)>;

// state_dir: --state-dir, BATON_STATE_DIR, $XDG_STATE_HOME/baton, ~/.local/state/baton.
// socket:    --socket, BATON_SOCKET, $XDG_RUNTIME_DIR/baton/baton.sock, baton.sock in the state directory. A state
//            directory that was named has its own daemon, so its socket is always inside.
// config:    --config, BATON_CONFIG, $XDG_CONFIG_HOME/baton/config.yaml, ~/.config/baton/config.yaml.
//
// As the XDG Base Directory Specification demands, XDG variables that are empty or not absolute do not count. Neither
// does an XDG_RUNTIME_DIR of another user (/run/user/UID), as `su` leaves behind. Relative overrides start at
// `current_dir`. Errors: invalid_argument, when HOME is needed and not set or the socket's path is too long.
Result<Locations> locate(const EnvironmentLookup& environment, std::uint32_t uid, const std::string& current_dir,
                         const LocationOverrides& overrides);

}  // namespace baton
