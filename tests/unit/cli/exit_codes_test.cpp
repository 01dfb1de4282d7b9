#include "exit_codes.hpp"

#include "catch.hpp"
#include "program.hpp"

namespace baton::cli {
namespace {

views::RunView ended(const std::string& state, const std::string& reason = "") {
  views::RunView run;
  run.state = state;
  run.reason = reason;
  return run;
}

TEST_CASE("exit codes of errors are the interface's") {
  CHECK(exit_code_of(ErrorCode::invalid_argument) == 2);
  CHECK(exit_code_of(ErrorCode::limit) == 2);
  CHECK(exit_code_of(ErrorCode::invalid_workflow) == 3);
  CHECK(exit_code_of(ErrorCode::unavailable) == 4);
  CHECK(exit_code_of(ErrorCode::not_found) == 5);
  CHECK(exit_code_of(ErrorCode::denied) == 6);
  for (const ErrorCode code : {ErrorCode::conflict, ErrorCode::disk_full, ErrorCode::locked, ErrorCode::io,
                               ErrorCode::corrupt, ErrorCode::newer_format, ErrorCode::internal}) {
    CHECK(exit_code_of(code) == 6);  // 1 is a run that failed
  }
}

TEST_CASE("exit codes of runs are the interface's") {
  CHECK(exit_code_of(ended("succeeded")) == 0);
  CHECK(exit_code_of(ended("failed")) == 1);
  CHECK(exit_code_of(ended("cancelled")) == 7);
  CHECK(exit_code_of(ended("failed", "approval_rejected")) == 8);
}

TEST_CASE("a problem is its diagnostics and one line") {
  api::Problem problem{{ErrorCode::invalid_workflow, "it is\nnot valid"},
                       {{Severity::error, "a.yaml", {3, 5}, "unknown key `neds`", "did you mean `needs`?"}}};
  CHECK(render_problem(problem) ==
        "a.yaml:3:5: error: unknown key `neds`\n"
        "  hint: did you mean `needs`?\n"
        "baton: it is\\nnot valid\n");
}

}  // namespace
}  // namespace baton::cli
