// Stays with a run: progress while it goes on, a summary when it has ended, and its result as the exit code.
#pragma once
#include "session.hpp"

namespace baton::cli {

Outcome attach(Session& session, const views::RunView& run);

}  // namespace baton::cli
