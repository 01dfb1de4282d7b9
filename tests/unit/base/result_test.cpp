#include <baton/base/result.hpp>

#include <cerrno>
#include <set>

#include "catch.hpp"

using namespace baton;

TEST_CASE("fail formats its message") {
  const Result<int> failed = fail(ErrorCode::not_found, "run {} of {}", 7, "digits");
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == Error{ErrorCode::not_found, "run 7 of digits"});
}

TEST_CASE("errno values become codes that callers act on") {
  const auto code = [](int value) { return fail_errno(value, "/var/x").error().code; };
  CHECK(code(ENOSPC) == ErrorCode::disk_full);
  CHECK(code(EDQUOT) == ErrorCode::disk_full);
  CHECK(code(EACCES) == ErrorCode::denied);
  CHECK(code(EPERM) == ErrorCode::denied);
  CHECK(code(EROFS) == ErrorCode::denied);
  CHECK(code(ENOENT) == ErrorCode::not_found);
  CHECK(code(ECONNREFUSED) == ErrorCode::unavailable);
  CHECK(code(EIO) == ErrorCode::io);
  CHECK(fail_errno(ENOENT, "/var/x").error().message == "/var/x: No such file or directory");
}

TEST_CASE("every error code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    names.insert(to_string(static_cast<ErrorCode>(code)));
  }
  CHECK(names.size() == static_cast<std::size_t>(ErrorCode::internal) + 1);
}
