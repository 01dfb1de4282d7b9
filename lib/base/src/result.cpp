#include <baton/base/result.hpp>

#include <cerrno>
#include <system_error>

namespace baton {

std::unexpected<Error> fail_errno(int errno_value, std::string_view what) {
  ErrorCode code = ErrorCode::io;
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      code = ErrorCode::disk_full;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::denied;
      break;
    case ENOENT:
      code = ErrorCode::not_found;
      break;
    case ECONNREFUSED:
      code = ErrorCode::unavailable;
      break;
    default:
      break;
  }
  return fail(code, "{}: {}", what, std::generic_category().message(errno_value));
}

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::invalid_workflow:
      return "invalid_workflow";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::stopped:
      return "stopped";
    case ErrorCode::disk_full:
      return "disk_full";
    case ErrorCode::locked:
      return "locked";
    case ErrorCode::io:
      return "io";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::newer_format:
      return "newer_format";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace baton
