#include "arguments.hpp"

#include <algorithm>

#include "catch.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

Result<CommandLine::Parsed> parsed(const std::vector<std::string>& arguments) {
  return CommandLine(verbs()).parse(arguments);
}

std::string refusal(const std::vector<std::string>& arguments) {
  const auto result = parsed(arguments);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::invalid_argument);
  CHECK(result.error().message.find('\n') == std::string::npos);
  return result.error().message;
}

TEST_CASE("every verb has a help with its example, and takes its own example's shape") {
  const auto check = [](const Verb& verb, const std::vector<std::string>& path, const auto& self) -> void {
    std::vector<std::string> arguments = path;
    arguments.emplace_back(verb.name);
    for (const Verb& child : verb.verbs) self(child, arguments, self);
    arguments.emplace_back("--help");
    const auto help = parsed(arguments);
    INFO(verb.name);
    REQUIRE(help);
    CHECK_FALSE(help->action);
    CHECK(help->text.find(verb.summary) != std::string::npos);
    CHECK(help->text.find(verb.example) != std::string::npos);
  };
  for (const Verb& verb : verbs()) check(verb, {}, check);
}

TEST_CASE("the verbs are those of the interface") {
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  for (const char* name :
       {"run", "submit",   "ls",   "describe", "logs",   "wait",   "cancel", "retry",      "approve", "reject",
        "why", "validate", "plan", "graph",    "events", "daemon", "doctor", "completion", "version", "worker"}) {
    INFO(name);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}

TEST_CASE("global options stand before or after the verb") {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"-o", "json", "--no-start", "ls"},
                                                    {"ls", "-o", "json", "--no-start"},
                                                    {"ls", "--output=json", "--no-start"}}) {
    const auto result = parsed(arguments);
    REQUIRE(result);
    CHECK(result->options.format == Format::json);
    CHECK(result->options.no_start);
    CHECK(result->action);
  }
  const auto places =
      parsed({"daemon", "status", "--socket", "/s", "--state-dir", "d", "--config", "c", "-q", "--no-color"});
  REQUIRE(places);
  CHECK(places->options.locations.socket == "/s");
  CHECK(places->options.locations.state_dir == "d");
  CHECK(places->options.locations.config == "c");
  CHECK(places->options.quiet);
  CHECK(places->options.no_color);
}

TEST_CASE("every format has its word, and other words are refused") {
  CHECK(parsed({"ls"})->options.format == Format::table);
  CHECK(parsed({"ls", "-o", "table"})->options.format == Format::table);
  CHECK(parsed({"ls", "-o", "wide"})->options.format == Format::wide);
  CHECK(parsed({"ls", "-o", "name"})->options.format == Format::name);
  CHECK(refusal({"ls", "-o", "yaml"}) == "--output: `yaml` is not table, wide, json or name (see baton ls --help)");
  CHECK(refusal({"ls", "-o", "1"}).find("`1` is not table") != std::string::npos);
  CHECK(refusal({"ls", "-o"}).starts_with("--output: "));
  CHECK(refusal({"ls", "--socket"}).starts_with("--socket: "));
  CHECK(parsed({"ls", "--help"})->text.find("--no-start") == std::string::npos);
  CHECK(parsed({"--help"})->text.find("--no-start") != std::string::npos);
}

TEST_CASE("an unknown option is one line that names it and what was meant") {
  CHECK(refusal({"run", "x.yaml", "--detatch"}) ==
        "unknown option `--detatch`, did you mean `--detach`? (see baton run --help)");
  CHECK(refusal({"ls", "--zzz"}) == "unknown option `--zzz` (see baton ls --help)");
  CHECK(refusal({"--zzz"}).starts_with("unknown option `--zzz`"));
}

TEST_CASE("an unknown verb is one line that names it and what was meant") {
  CHECK(refusal({"rum", "x.yaml"}) == "unknown command `rum`, did you mean `run`? (see baton --help)");
  CHECK(refusal({"daemon", "stat"}) == "unknown command `stat`, did you mean `start`? (see baton daemon --help)");
}

TEST_CASE("a command that is misspelt is named, whatever stands behind it") {
  CHECK(refusal({"wroker", "ls"}) == "unknown command `wroker`, did you mean `worker`? (see baton --help)");
  CHECK(refusal({"rum", "--help"}) == "unknown command `rum`, did you mean `run`? (see baton --help)");
  CHECK(refusal({"daemon", "nonsense", "-h"}) == "unknown command `nonsense` (see baton daemon --help)");
  CHECK(refusal({"x.yaml", "run"}) == "unknown command `x.yaml` (see baton --help)");
}

TEST_CASE("numbers have signs and sizes that make sense") {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"ls", "-n", "-1"},
                                                    {"events", "--tail", "-1"},
                                                    {"logs", "r", "--tail", "-1"},
                                                    {"logs", "r", "--attempt", "4294967297"},
                                                    {"daemon", "logs", "--tail", "1.5"},
                                                    {"ls", "-n", "99999999999999999999"},
                                                    {"ls", "-n", ""}}) {
    CHECK(refusal(arguments).find("is not a whole number from 0 to ") != std::string::npos);
  }
  CHECK(parsed({"logs", "r", "--attempt", "4294967295"}));
  CHECK(parsed({"run", "x.yaml", "--priority", "-5"}));
  CHECK(parsed({"submit", "x.yaml", "--priority=7"}));
  CHECK(refusal({"run", "x.yaml", "--priority", "3000000000"}).find("3000000000") != std::string::npos);
}

TEST_CASE("a run that is named by nothing is a wrong argument") {
  CHECK(refusal({"describe", ""}) == "RUN: must not be empty (see baton describe --help)");
  CHECK(refusal({"wait", "a", ""}).starts_with("RUN: must not be empty"));
  CHECK(parsed({"logs", "last", ""}));
}

TEST_CASE("missing and superfluous arguments are refused") {
  CHECK(refusal({}).find("baton --help") != std::string::npos);
  CHECK(refusal({"daemon"}).find("baton daemon --help") != std::string::npos);
  CHECK(refusal({"run"}).find("FILE") != std::string::npos);
  CHECK(refusal({"describe", "a", "b"}) == "unexpected argument `b` (see baton describe --help)");
  CHECK(refusal({"logs", "a", "--tail", "many"}).find("many") != std::string::npos);
  CHECK(refusal({"logs", "a", "--tail"}).find("--tail") != std::string::npos);
}

TEST_CASE("control characters of an argument do not reach the message") {
  CHECK(refusal({"ls", "--x\x1b[31m"}).find('\x1b') == std::string::npos);
}

TEST_CASE("a repeated option takes one value each, so that an operand may follow") {
  CHECK(parsed({"run", "-p", "a=1", "-p", "b=2", "x.yaml"}));
  CHECK(parsed({"ls", "--state", "failed", "--state", "cancelled"}));
  CHECK(refusal({"run", "x.yaml", "-p", "a=1", "b=2"}).find("b=2") != std::string::npos);
}

TEST_CASE("runs and tasks may be called like verbs") {
  CHECK(parsed({"logs", "run", "ls"}));
  CHECK(parsed({"describe", "describe"}));
  CHECK(parsed({"why", "last", "daemon"}));
}

TEST_CASE("retry takes --failed or --from, not both") {
  CHECK(parsed({"retry", "last", "--failed"}));
  CHECK(parsed({"retry", "last", "--from", "train", "-p", "C=1", "--dry-run"}));
  refusal({"retry", "last", "--failed", "--from", "train"});
}

TEST_CASE("graph has an output of its own") {
  for (const char* language : {"dot", "mermaid", "json", "svg"}) CHECK(parsed({"graph", "x.yaml", "-o", language}));
  refusal({"graph", "x.yaml", "-o", "table"});
}

}  // namespace
}  // namespace baton::cli
