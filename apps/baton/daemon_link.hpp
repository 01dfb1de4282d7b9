// The way to a daemon: is one there, and if not, start it.
#pragma once
#include <baton/base/locations.hpp>
#include <baton/base/result.hpp>

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

// Starts batond as a daemon of its own: new session, standard streams on /dev/null and its log, no file of ours open.
// It is ready when this returns. Callers that do this at the same time take turns, so that one daemon comes of it;
// true: this call started it, false: another one did. Errors: unavailable with what batond said, denied or io for the
// directory.
Result<bool> start_daemon(const Locations& locations);

}  // namespace baton::cli
