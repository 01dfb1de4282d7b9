// Whether the engine can go on from what the store says of a run.
#pragma once
#include <baton/base/result.hpp>
#include <baton/engine/record.hpp>
#include <baton/workflow/spec.hpp>

namespace baton::engine {

// To be asked before every RunRestored: rows may have been changed by hand or by a bad disk, and the engine relies on
// what no step of its own can have written. The store has made sure that the rows fit each other; this makes sure that
// they fit the workflow. corrupt: why they do not.
Result<> check_snapshot(const RunSnapshot& snapshot, const workflow::WorkflowSpec& spec);

}  // namespace baton::engine
