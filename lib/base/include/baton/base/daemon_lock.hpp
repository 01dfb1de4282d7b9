// `batond.lock` in a state directory: held (flock(2)) by the daemon that serves the state, and a note of who that is
// and where it listens, for those who do not find it where they look.
#pragma once
#include <baton/base/result.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace baton {

struct LockNote {
  pid_t pid = 0;       // 0: not known
  std::string socket;  // absolute; empty: it does not listen yet
};

std::string daemon_lock_path(const std::string& state_dir);

// PID, newline, socket, newline. What makes no sense is not known.
std::string lock_note_text(const LockNote& note);
LockNote parse_lock_note(std::string_view text);
LockNote read_lock_note(int lock_fd);

// The daemon that serves the state; nullopt: none. Looks by trying to take the lock, for no longer than that takes.
// Errors: denied, io.
Result<std::optional<LockNote>> find_lock_holder(const std::string& state_dir);

}  // namespace baton
