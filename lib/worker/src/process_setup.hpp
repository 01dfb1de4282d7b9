// What a long-lived process does first.
#pragma once

namespace baton::worker {

// Closes every descriptor above 2 but `keep` (-1: none), and makes `keep` CLOEXEC.
void keep_only_standard_streams(int keep);
// Default dispositions, nothing blocked: whatever the parent ignored or blocked must not reach tasks.
void reset_signals();

// Lets this process have as many descriptors as it may; the limit that was is kept.
void raise_descriptor_limit();
// What this process becomes or starts gets the limit that was: select(2) cannot take more than 1024 of them, and a task
// finds what its user has. Async-signal-safe.
void restore_descriptor_limit() noexcept;

}  // namespace baton::worker
