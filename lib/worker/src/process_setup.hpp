// What a long-lived process does first.
#pragma once

namespace baton::worker {

// Closes every descriptor above 2 but `keep` (-1: none), and makes `keep` CLOEXEC.
void keep_only_standard_streams(int keep);
// Default dispositions, nothing blocked: whatever the parent ignored or blocked must not reach tasks.
void reset_signals();

}  // namespace baton::worker
