// Keeps an attempt's log from filling the disk.
//
// Tasks write to their segment themselves and are never stopped, so the middle of a log that grows too long is given
// back to the file system as a hole: places in the log stay what they were, its first quarter and its end are kept, and
// readers say how much is left out. A file system without holes keeps everything.
#pragma once
#include <cstdint>

namespace baton::worker {

// BATON_LOG_BYTES of the environment, else limits::kAttemptLogBytes.
std::uint64_t log_cap();

// Takes out the middle of what lies between `from` and `to` of a segment if that is more than `cap` on disk.
void cap_log(int segment, std::uint64_t from, std::uint64_t to, std::uint64_t cap);

}  // namespace baton::worker
