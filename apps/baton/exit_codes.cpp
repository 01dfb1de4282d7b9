#include "exit_codes.hpp"

namespace baton::cli {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::limit:
      return kExitUsage;
    case ErrorCode::invalid_workflow:
      return kExitInvalidWorkflow;
    case ErrorCode::unavailable:
    case ErrorCode::stopped:
      return kExitUnreachable;
    case ErrorCode::not_found:
      return kExitNotFound;
    case ErrorCode::denied:
    case ErrorCode::conflict:
    case ErrorCode::disk_full:
    case ErrorCode::locked:
    case ErrorCode::io:
    case ErrorCode::corrupt:
    case ErrorCode::newer_format:
    case ErrorCode::internal:
      break;
  }
  return kExitDenied;
}

int exit_code_of(const views::RunView& run) {
  if (run.state == "succeeded") return kExitSucceeded;
  if (run.reason == "approval_rejected") return kExitRejected;
  if (run.state == "cancelled") return kExitCancelled;
  return kExitFailed;
}

bool is_final_run_state(std::string_view state) {
  return state == "succeeded" || state == "failed" || state == "cancelled";
}

bool is_final_task_state(std::string_view state) {
  return is_final_run_state(state) || state == "skipped" || state == "upstream_failed";
}

}  // namespace baton::cli
