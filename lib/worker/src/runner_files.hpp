// The small files beside the journal, for what does not fit a record.
#pragma once
#include <baton/wire/messages.hpp>
#include <baton/worker/slots.hpp>

namespace baton::worker {

// Why a file could not be read: whether it will not come back. Otherwise it says nothing of the file, as when
// descriptors have run out or a disk fails.
bool is_loss(const Error& error);

// details/ATTEMPT: an outcome with its message and outputs.
Result<void> write_details(int folder, AttemptId attempt, const wire::Outcome& outcome);
Result<wire::Outcome> read_details(int folder, AttemptId attempt);
void remove_details(int folder, AttemptId attempt);
std::vector<AttemptId> list_details(int folder);

// slots/N/launch: what a later session must know of a launch. Its environment, which may hold secrets, is left out.
Result<void> write_launch(int folder, const Slot& slot, const wire::Launch& launch);
Result<wire::Launch> read_launch(int folder, const Slot& slot);

}  // namespace baton::worker
