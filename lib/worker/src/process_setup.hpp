// What a long-lived process does first.
#pragma once

namespace baton::worker {

// Closes every descriptor above 2 but `keep` (-1: none), and makes `keep` CLOEXEC.
void keep_only_standard_streams(int keep);
// Default dispositions, nothing blocked: whatever the parent ignored or blocked must not reach tasks.
void reset_signals();
// A descriptor that is readable when children have ended (signalfd, CLOEXEC, non-blocking); -1: errno says why. Signals
// of writes that fail are blocked as well: the write says so itself.
int watch_children();

// Lets this process have as many descriptors as it may; the limit that was is kept.
void raise_descriptor_limit();
// What this process becomes or starts gets the limit that was: select(2) cannot take more than 1024 of them, and a task
// finds what its user has. Async-signal-safe.
void restore_descriptor_limit() noexcept;

}  // namespace baton::worker
