#include "program.hpp"

#include <pwd.h>
#include <unistd.h>
#include <baton/base/text.hpp>

#include <cerrno>
#include <exception>
#include <filesystem>

#include "verbs.hpp"

namespace baton::cli {
namespace {

// HOME may be missing, in a cron job or a service; the user database knows it too.
EnvironmentLookup with_home(const EnvironmentLookup& environment) {
  return [environment](const char* name) -> std::optional<std::string> {
    auto value = environment(name);
    if ((value && !value->empty()) || std::string_view(name) != "HOME") return value;
    const passwd* entry = ::getpwuid(::geteuid());
    if (entry == nullptr || entry->pw_dir == nullptr) return std::nullopt;
    return std::string(entry->pw_dir);
  };
}

bool is_set(const EnvironmentLookup& environment, const char* name) { return !environment(name).value_or("").empty(); }

bool says_no_start(const EnvironmentLookup& environment) {
  const std::string value = environment("BATON_NO_START").value_or("");
  return !value.empty() && value != "0";
}

Outcome perform(const Action& action, Session& session) {
  try {
    return action(session);
  } catch (const std::bad_alloc&) {
    return refuse(ErrorCode::internal, "out of memory");
  } catch (const std::exception& error) {
    return refuse(ErrorCode::internal, "internal error: {}", error.what());
  }
}

// Output that could not be written is a failure, unless its reader just went away.
int with_output(int code, Output& out, Output& err) {
  out.flush();
  if (out.ok() || out.error() == EPIPE) return code;
  err.print("baton: cannot write the output: {}\n", std::generic_category().message(out.error()));
  return code == kExitSucceeded ? kExitDenied : code;
}

}  // namespace

std::string render_problem(const api::Problem& problem) {
  std::string text;
  for (const Diagnostic& diagnostic : problem.diagnostics) text += render(diagnostic, "");
  return text + fmt::format("baton: {}\n", escape_control(problem.error.message));
}

int run_program(std::vector<std::string> arguments, const EnvironmentLookup& environment) {
  CommandLine command_line(verbs());
  if (arguments.size() == 1 && (arguments[0] == "--version" || arguments[0] == "-V")) arguments[0] = "version";
  const auto parsed = command_line.parse(std::move(arguments));
  const bool colour = !(parsed && parsed->options.no_color) && !is_set(environment, "NO_COLOR");
  Output out(STDOUT_FILENO, colour);
  Output err(STDERR_FILENO, colour);
  if (!parsed) {
    err.write(render_problem({parsed.error(), {}}));
    return exit_code_of(parsed.error().code);
  }
  if (!parsed->action) {
    out.write(parsed->text);
    return with_output(kExitSucceeded, out, err);
  }
  GlobalOptions options = parsed->options;
  options.no_start = options.no_start || says_no_start(environment);
  std::error_code no_current_dir;
  const std::string current_dir = std::filesystem::current_path(no_current_dir).string();
  Session session(options, locate(with_home(environment), ::geteuid(), current_dir, options.locations), out, err);
  const Outcome outcome = perform(parsed->action, session);
  out.flush();
  if (!outcome) {
    err.write(render_problem(outcome.error()));
    err.flush();
  }
  return with_output(outcome ? *outcome : exit_code_of(outcome.error().error.code), out, err);
}

}  // namespace baton::cli
