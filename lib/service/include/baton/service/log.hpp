// The daemon's own log.
#pragma once
#include <baton/base/limits.hpp>
#include <baton/service/config.hpp>

#include <cstddef>
#include <string>

namespace baton::service {

struct LogFileBounds {
  std::size_t bytes = limits::kDaemonLogBytes;          // of one file
  std::size_t older_files = limits::kDaemonLogsBefore;  // NAME.1.log is the youngest of them
};

// Text: `2026-03-29T00:59:59.123Z info message`; JSON: one object a line with time, level and message. Times in UTC.
// On stderr, or in a file that is put aside when it has become too long. No other thread may log during the call.
void start_log(LogLevel level, bool json, const std::string& file = "", LogFileBounds bounds = {});
void set_log_level(LogLevel level);

}  // namespace baton::service
