// Files of ours are ours to use, whatever umask we were started with; tasks get the umask that the user has chosen.
#pragma once

namespace baton {

// Takes from the umask what it would take from us, and keeps the user's own for restore_umask() and, in the environment
// as kUmaskVariable, for the programs that this one starts. Does nothing about any usual umask. Once, at the start.
void keep_own_rights();
inline constexpr const char* kUmaskVariable = "BATON_UMASK";

// For a process that is about to become a task; async-signal-safe.
void restore_umask() noexcept;

}  // namespace baton
