// Errors are values: a function that can fail returns Result<T>.
#pragma once
#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

namespace baton {

enum class ErrorCode {
  invalid_argument,  // the caller's input is wrong
  invalid_workflow,  // a workflow file does not validate
  not_found,
  denied,
  conflict,      // it exists already, or is in a state that does not allow this
  unavailable,   // a peer is not there or does not answer
  stopped,       // a peer ends because it was asked to
  disk_full,     // no space left; trying again after making room can succeed
  locked,        // another process holds it; trying again later can succeed
  io,            // any other failure of the operating system
  corrupt,       // stored data does not make sense
  newer_format,  // written by a newer version of Baton
  limit,         // beyond one of the constants in limits.hpp
  internal,      // a defect in Baton
};

// One error: a code for programs and one line for people, without a trailing full stop or newline.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// `what: strerror(errno_value)`, with disk_full, denied and not_found told apart from io.
[[nodiscard]] std::unexpected<Error> fail_errno(int errno_value, std::string_view what);

std::string_view to_string(ErrorCode code);

}  // namespace baton
