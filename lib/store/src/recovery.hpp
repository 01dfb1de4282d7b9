// What the daemon goes on from after a start.
#pragma once
#include <baton/store/store.hpp>

#include "connection.hpp"

namespace baton::store {

// Beyond any number that was ever counted to; a larger or negative one was not written by Baton.
inline constexpr std::int64_t kPlausible = std::int64_t{1} << 53;

// The incarnation of a copy made by backup_database(): a state that nobody may go on from before it is adopted.
inline constexpr std::int64_t kCopyMark = -0x436f7079;

// Why a state must not go on by itself, as its numbers were given out before: it is a copy, or older than what workers
// have `seen`, or takes the place of a lost one. Empty: it may. Throws SqlError.
std::string why_not_to_go_on(Connection& connection, const Seen& seen);
// The last of these, also of a database that is not there.
std::string lost_before(const std::string& path, const Seen& seen);

// Reads the runs that have not ended, sets apart those that make no sense, and commits a new incarnation. Throws
// SqlError; denied: it is a copy, or older than what workers have `seen`.
Recovered recover_state(Connection& connection, const Seen& seen = {});

}  // namespace baton::store
