// The way to a daemon: is one there, and if not, start it.
#pragma once
#include <baton/base/locations.hpp>
#include <baton/base/result.hpp>

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace baton::cli {

// Does somebody listen on the socket? false: nobody (no file, or a stale one). Errors: denied if it may not be used or
// belongs to another user, unavailable if the path is something else.
Result<bool> someone_listens(const std::string& socket);

// The program `batond`: beside this one, else on PATH.
Result<std::string> find_batond();

// Becomes batond, which does one thing to the state and ends; returns only what kept it from that.
Error become_batond(const Locations& locations, std::vector<std::string> arguments);

// batond's log when the CLI started it.
std::string daemon_log_path(const Locations& locations);
// What was its log before it had become too long; it need not be there.
std::string older_daemon_log_path(const Locations& locations);

// The daemon of these places. It may listen elsewhere than one would here, where it was started with another
// XDG_RUNTIME_DIR or its socket was removed: then its state says where, unless the socket was named.
struct FoundDaemon {
  std::string socket;           // empty: nobody answers
  std::optional<pid_t> silent;  // who has the state although nobody answers; 0: it is not known who
};
// Errors: those of someone_listens().
Result<FoundDaemon> find_daemon(const Locations& locations);

// What to say of a daemon that has the state and does not listen.
Error does_not_listen(const Locations& locations, pid_t pid);

// Finds the daemon of these places, or starts batond as one: new session, standard streams on /dev/null and its log, no
// file of ours open. It is ready when this returns. Callers that do this at the same time take turns, so that one
// daemon comes of it. What is waited for, for long, is said to `notice` once. Errors: unavailable with what batond
// said, denied or io for the directory.
struct StartedDaemon {
  std::string socket;
  bool by_this_call = false;
};
using Notice = std::function<void(const std::string&)>;
Result<StartedDaemon> start_daemon(const Locations& locations, const Notice& notice = {});

}  // namespace baton::cli
