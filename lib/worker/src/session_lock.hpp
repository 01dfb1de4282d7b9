// One session of a folder at a time. Held by the session and by every child of it until its exec, so that whoever gets
// it next finds all of their records.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>

#include <chrono>

namespace baton::worker {

// A session that was replaced is killed by its supervisor, and one whose supervisor died leaves by itself, at once. One
// that has done neither after this time is stopped or hangs and has no supervisor any more. To wait longer would keep
// the folder's attempts from everybody; the daemon waits 15 s for a new session. Ends that only the old one could have
// seen are lost then, as when both are killed.
inline constexpr std::chrono::seconds kLeavePatience{10};

// Waits for the lock; a session that holds it for longer than `patience` is killed.
Result<Descriptor> lock_session(int folder, std::chrono::milliseconds patience = kLeavePatience);

}  // namespace baton::worker
