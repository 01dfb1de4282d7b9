// Turns one instance of a task into what a worker needs to start it.
#pragma once
#include <baton/engine/effect.hpp>

#include "attempts.hpp"
#include "run.hpp"

namespace baton::engine {

// Evaluates the task's fields. A pure function of the run's state: the same attempt gives the same launch after a
// restart. Errors are about the user's expressions and name the field.
Result<Launch> build_launch(const Run& run, const ActiveAttempt& attempt);

// The deploy target that the instance takes for itself; empty if it takes none.
Result<std::string> exclusive_environment(const Run& run, TaskIndex task, std::uint32_t index);

}  // namespace baton::engine
