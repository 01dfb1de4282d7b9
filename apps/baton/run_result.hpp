// What a run that was followed has come to.
#pragma once
#include <baton/api/client.hpp>
#include <baton/views/views.hpp>

#include "output.hpp"

namespace baton::cli {

// How a run ended, in a line. Before it, the ends of the logs of what failed; behind it, the outputs of its last tasks.
// What cannot be had from the daemon is left out, or said to be missing.
void show_result(api::Client& client, Output& out, const views::RunView& run);

}  // namespace baton::cli
