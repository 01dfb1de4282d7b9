// Reads a run back into the records it was written from, trusting nothing.
#pragma once
#include <baton/engine/record.hpp>

#include "statement.hpp"

namespace baton::store {

// Everything the engine needs to go on with a run. Errors: not_found; corrupt, with what makes no sense. Damage of the
// file itself is thrown as SqlError.
Result<engine::RunSnapshot> load_run(StatementCache& statements, RunKey key);

}  // namespace baton::store
