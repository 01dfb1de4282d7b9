// What the daemon goes on from after a start.
#pragma once
#include <baton/store/store.hpp>

#include "connection.hpp"

namespace baton::store {

// Reads the runs that have not ended, sets apart those that make no sense, and commits a new incarnation. Throws
// SqlError.
Recovered recover_state(Connection& connection);

}  // namespace baton::store
