// Reads attempts' logs out of segments.
#pragma once
#include <baton/wire/messages.hpp>

namespace baton::worker {

// Never fails: what cannot be read is said in LogData::error. `extent.to` kOpen means the segment's end.
wire::LogData read_log(int folder, const wire::ReadLog& request);

}  // namespace baton::worker
