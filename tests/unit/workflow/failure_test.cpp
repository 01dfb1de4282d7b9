#include <baton/workflow/failure.hpp>

#include <csignal>

#include "catch.hpp"

using namespace baton;
using namespace baton::workflow;

TEST_CASE("failure classes are written and read back") {
  const std::pair<FailureClass, const char*> all[] = {{{FailureKind::none, 0}, ""},
                                                      {{FailureKind::exit, 3}, "exit:3"},
                                                      {{FailureKind::exit, 255}, "exit:255"},
                                                      {{FailureKind::signal, SIGKILL}, "signal:KILL"},
                                                      {{FailureKind::signal, SIGSEGV}, "signal:SEGV"},
                                                      {{FailureKind::signal, 40}, "signal:40"},
                                                      {{FailureKind::oom, 0}, "oom"},
                                                      {{FailureKind::timeout, 0}, "timeout"},
                                                      {{FailureKind::worker_lost, 0}, "worker_lost"},
                                                      {{FailureKind::spawn_error, 0}, "spawn_error"},
                                                      {{FailureKind::missing_output, 0}, "missing_output"},
                                                      {{FailureKind::cancelled, 0}, "cancelled"},
                                                      {{FailureKind::preempted, 0}, "preempted"}};
  for (const auto& [failure, text] : all) {
    CHECK(to_string(failure) == text);
    CHECK(parse_failure_class(text) == failure);
  }
  for (int signal = 1; signal < NSIG; ++signal) {
    const FailureClass failure{FailureKind::signal, signal};
    CHECK(parse_failure_class(to_string(failure)) == failure);
  }
}

TEST_CASE("signals have their names") {
  CHECK(signal_name(9) == "KILL");
  CHECK(signal_name(15) == "TERM");
  CHECK(signal_name(40) == "40");
  CHECK(signal_name(0) == "0");
  CHECK(signal_name(-1) == "-1");
  CHECK(parse_failure_class("signal:SIGTERM") == FailureClass{FailureKind::signal, SIGTERM});
  CHECK(parse_failure_class("signal:15") == FailureClass{FailureKind::signal, SIGTERM});
}

TEST_CASE("a pattern with a detail matches one failure, without it all of the kind") {
  const auto exit = parse_failure_pattern("exit");
  const auto exit75 = parse_failure_pattern("exit:75");
  const auto signal = parse_failure_pattern("signal");
  const auto oom = parse_failure_pattern("oom");
  REQUIRE((exit && exit75 && signal && oom));
  CHECK(exit->matches({FailureKind::exit, 1}));
  CHECK(exit->matches({FailureKind::exit, 75}));
  CHECK_FALSE(exit->matches({FailureKind::signal, 1}));
  CHECK(exit75->matches({FailureKind::exit, 75}));
  CHECK_FALSE(exit75->matches({FailureKind::exit, 1}));
  CHECK_FALSE(exit75->matches({FailureKind::signal, 75}));
  CHECK(signal->matches({FailureKind::signal, SIGKILL}));
  CHECK(oom->matches({FailureKind::oom, 0}));
  CHECK_FALSE(oom->matches({FailureKind::timeout, 0}));
}

TEST_CASE("what is no failure class is refused") {
  for (const char* text :
       {"",         "none",    "exit:",   "exit:0",   "exit:256",    "exit:-1",         "exit:x",
        "exit:1:2", "exit: 1", "signal:", "signal:0", "signal:NOPE", "signal:65",       "signal:kill",
        "oom:1",    "OOM",     "exit ",   " exit",    "success",     "exit:99999999999"}) {
    INFO(text);
    CHECK_FALSE(parse_failure_pattern(text));
    if (*text != '\0') CHECK_FALSE(parse_failure_class(text));
  }
  CHECK_FALSE(parse_failure_class("exit"));
  CHECK_FALSE(parse_failure_class("signal"));
  CHECK(parse_failure_pattern("worker-lost").error().message ==
        "`worker-lost` is not a failure class; did you mean `worker_lost`?");
}
