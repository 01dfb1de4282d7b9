// The CLI's exit codes: a contract with scripts (docs/cli.md).
#pragma once
#include <baton/base/result.hpp>
#include <baton/views/views.hpp>

#include <string_view>

namespace baton::cli {

inline constexpr int kExitSucceeded = 0;
inline constexpr int kExitFailed = 1;  // the run, or what `doctor` looked at; never that Baton could not do something
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInvalidWorkflow = 3;
inline constexpr int kExitUnreachable = 4;
inline constexpr int kExitNotFound = 5;
inline constexpr int kExitDenied = 6;  // or it could not be done
inline constexpr int kExitCancelled = 7;
inline constexpr int kExitRejected = 8;
inline constexpr int kExitTimedOut = 124;     // as timeout(1)
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT

int exit_code_of(ErrorCode code);
// Of a run that has ended.
int exit_code_of(const views::RunView& run);

bool is_final_run_state(std::string_view state);
bool is_final_task_state(std::string_view state);

}  // namespace baton::cli
