// The daemon's own log, on stderr.
#pragma once
#include <baton/service/config.hpp>

namespace baton::service {

// Text: `2026-03-29T00:59:59.123Z info message`; JSON: one object a line with time, level and message. Times in UTC.
void start_log(LogLevel level, bool json);
void set_log_level(LogLevel level);

}  // namespace baton::service
