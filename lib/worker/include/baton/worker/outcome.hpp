// From journal records to what the daemon is told.
#pragma once
#include <baton/wire/messages.hpp>
#include <baton/worker/journal.hpp>

namespace baton::worker {

// wait(2)'s status out of siginfo_t, as waitid(2) fills it in.
std::int32_t wait_status(int code, int status);

// What an attempt's records alone say of its end, before its output file was looked at. `exited` may be null: the
// worker cannot know.
wire::Outcome outcome_of(const Record& started, const Record* exited, const Record* killed);

// A `finished` record for an outcome, without its message and outputs.
Record finished_record(AttemptId attempt, const wire::Outcome& outcome);
// The other way round; `started` may be null.
wire::Outcome outcome_of_finished(const Record& finished, const Record* started);

wire::LogExtent open_log(const Record& started);

}  // namespace baton::worker
