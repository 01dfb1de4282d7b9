// What the daemon goes on from after a start.
#pragma once
#include <baton/store/store.hpp>

#include "connection.hpp"

namespace baton::store {

// Beyond any number that was ever counted to; a larger or negative one was not written by Baton.
inline constexpr std::int64_t kPlausible = std::int64_t{1} << 53;

// The incarnation of a copy made by backup_database(): a state that nobody may go on from before it is adopted.
inline constexpr std::int64_t kCopyMark = -0x436f7079;

// A state that went back in time must not go on by itself: its numbers were given out before. Throws SqlError, denied:
// it is a copy, or older than what a worker has `seen`.
void refuse_copy(Connection& connection, const Seen& seen);
// The same of one that takes the place of a lost one.
[[noreturn]] void refuse_new(const std::string& path, const Seen& seen);

// Reads the runs that have not ended, sets apart those that make no sense, and commits a new incarnation. Throws
// SqlError; denied: it is a copy, or older than what workers have `seen`.
Recovered recover_state(Connection& connection, const Seen& seen = {});

}  // namespace baton::store
