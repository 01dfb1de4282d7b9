#include <unistd.h>
#include <baton/base/limits.hpp>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "client.hpp"

namespace baton::test {

TEST_CASE("a task runs and its exit code, output and times come back") {
  Host host;
  Link link(host);
  const Welcome welcome = link.greet();
  CHECK(welcome.inventory.empty());
  CHECK((welcome.containment == "session" || welcome.containment.starts_with("cgroup")));
  CHECK(welcome.capacity.cpu_milli == 2000);
  CHECK(welcome.capacity.memory_bytes > 0);
  CHECK_FALSE(welcome.boot_id.empty());

  link.send(script(1, "echo out; echo err >&2; exit 3"));
  const Started started = link.started(1);
  CHECK(started.pid > 0);
  CHECK(started.log.to == LogExtent::kOpen);
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::exited);
  CHECK(outcome.detail == 3);
  CHECK(outcome.started_at == started.at);
  CHECK(outcome.ended_at >= outcome.started_at);
  CHECK(outcome.max_rss_bytes > 0);
  CHECK(link.log(outcome.log) == "out\nerr\n");
}

TEST_CASE("a signal that ends a task is its cause") {
  Host host;
  Link link(host);
  link.greet();
  link.send(script(1, "kill -SEGV $$"));
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::signalled);
  CHECK(outcome.detail == SIGSEGV);
  CHECK(outcome.message.find("SIGSEGV") != std::string::npos);
}

TEST_CASE("tasks see the environment that is promised") {
  Host host;
  Link link(host);
  link.greet();
  Launch launch =
      script(41,
             "echo \"$A|$BATON_ATTEMPT_ID|$BATON_CPUS|$BATON_MEMORY\"\n"
             "test -d \"$BATON_TMPDIR\" && test \"$PWD\" = \"$BATON_TMPDIR\" && test ! -e \"$BATON_OUTPUT\"\n"
             "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l\n"
             "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && grep SigBlk /proc/self/status\n"
             "grep SigIgn /proc/self/status");
  launch.env = {{"A", "one"}, {"BATON_CPUS", "lie"}, {"A", "two"}};
  launch.needs.cpu_milli = 500;
  launch.needs.memory_bytes = 1 << 20;
  link.send(launch);
  const Outcome outcome = link.exited(41);
  CHECK(outcome.detail == 0);
  CHECK(link.log(outcome.log) ==
        "two|41|0.5|1048576\n/dev/null\n4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("GPUs are given as concrete devices, fractions share one") {
  Host host;
  Link link(host);
  Hello hello;
  hello.daemon_id = "daemon-1";
  hello.incarnation = 1;
  hello.capacity = {.cpu_milli = 8000, .memory_bytes = 0, .gpu_milli = 3000, .custom_milli = {}};
  link.send(hello);
  CHECK(link.wait<Welcome>().gpus.size() == 3);
  const auto gpu = [&](std::uint64_t attempt, std::int64_t milli) {
    Launch launch =
        script(attempt, "echo \"$CUDA_VISIBLE_DEVICES\"; mkfifo " + host.root() + "/" + std::to_string(attempt) +
                            "; read line < " + host.root() + "/" + std::to_string(attempt));
    launch.needs.gpu_milli = milli;
    link.send(launch);
    return link.started(attempt).log;
  };
  const LogExtent logs[] = {gpu(1, 500), gpu(2, 500), gpu(3, 2000)};
  for (int i = 1; i <= 3; ++i) {
    const std::string path = host.root() + "/" + std::to_string(i);
    wait_for_file(host.root() + "/none", [&](const std::string&) { return ::access(path.c_str(), F_OK) == 0; });
  }
  CHECK(link.log(logs[0]) == "0\n");
  CHECK(link.log(logs[1]) == "0\n");
  CHECK(link.log(logs[2]) == "1,2\n");
}

TEST_CASE("outputs come back, and what is missing fails the task") {
  Host host;
  Link link(host);
  link.greet();
  Launch good = script(
      1, "echo a=1 >> $BATON_OUTPUT; printf 'b<<EOF\\nx\\ny\\nEOF\\n' >> $BATON_OUTPUT; echo c=2 >> $BATON_OUTPUT");
  good.outputs = {"a", "b"};
  Launch missing = script(2, "echo a=1 >> $BATON_OUTPUT");
  missing.outputs = {"a", "model", "accuracy"};
  Launch malformed = script(3, "echo nonsense >> $BATON_OUTPUT");
  malformed.outputs = {"a"};
  Launch failed = script(4, "exit 9");
  failed.outputs = {"a"};
  const auto filled = [](std::uint64_t attempt, std::size_t bytes) {  // the whole file's
    return script(attempt,
                  fmt::format("{{ printf a=; head -c {} /dev/zero | tr '\\0' x; echo; }} >> $BATON_OUTPUT", bytes - 3));
  };
  Launch huge = filled(5, limits::kOutputFileBytes + 1);
  huge.outputs = {"a"};
  Launch stranger = script(6, "rm -f $BATON_OUTPUT; mkfifo $BATON_OUTPUT");
  stranger.outputs = {"a"};
  Launch full = filled(7, limits::kOutputFileBytes);
  full.outputs = {"a"};
  for (const Launch& launch : {good, missing, malformed, failed, huge, stranger, full}) link.send(launch);

  const Outcome first = link.exited(1);
  CHECK(first.cause == ExitCause::exited);
  CHECK(first.outputs == std::map<std::string, std::string>{{"a", "1"}, {"b", "x\ny"}});
  const Outcome second = link.exited(2);
  CHECK(second.cause == ExitCause::missing_output);
  CHECK(second.message.find("model, accuracy") != std::string::npos);
  CHECK(second.outputs.empty());
  CHECK(link.exited(3).message.find("line 1") != std::string::npos);
  CHECK(link.exited(4).cause == ExitCause::exited);
  const Outcome fifth = link.exited(5);
  CHECK(fifth.cause == ExitCause::missing_output);
  CHECK(fifth.message.find("the output file is over") != std::string::npos);
  CHECK(link.exited(6).cause == ExitCause::missing_output);
  CHECK(link.exited(7).outputs ==
        std::map<std::string, std::string>{{"a", std::string(limits::kOutputFileBytes - 3, 'x')}});
}

TEST_CASE("what cannot start says why") {
  Host host;
  Link link(host);
  link.greet();
  link.send(command(1, {"/nowhere/program"}));
  link.send(command(2, {"no-such-program-anywhere"}));
  Launch lost = command(3, {"/bin/true"});
  lost.working_dir = "/nowhere/at/all";
  link.send(lost);
  link.send(command(4, {}));
  Launch greedy = command(5, {"/bin/true"});
  greedy.needs.cpu_milli = 1'000'000;
  link.send(greedy);
  Launch long_argument = command(6, {"/bin/echo", std::string(200'000, 'x')});
  link.send(long_argument);
  link.send(command(7, {"/bin/true"}));

  const Outcome program = link.exited(1);
  CHECK(program.cause == ExitCause::spawn_error);
  CHECK(program.detail == ENOENT);
  CHECK(program.message.find("/nowhere/program") != std::string::npos);
  CHECK(link.exited(2).detail == ENOENT);
  const Outcome folder = link.exited(3);
  CHECK(folder.cause == ExitCause::spawn_error);
  CHECK(folder.message.find("/nowhere/at/all") != std::string::npos);
  CHECK(link.exited(4).cause == ExitCause::spawn_error);
  CHECK(link.exited(5).message.find("needs 1000 CPUs") != std::string::npos);
  CHECK(link.exited(6).detail == E2BIG);
  CHECK(link.exited(7).detail == 0);
}

TEST_CASE("launches wait for room, in their order") {
  Host host;
  Link link(host);
  link.greet(1, 2);
  const std::string order = host.root() + "/order";
  const std::string gate = host.root() + "/gate";
  // 1 takes one CPU; 2 needs two and waits; 3 would fit beside 1 but must not pass 2.
  link.send(script(1, "mkfifo " + gate + "; echo 1 >> " + order + "; read line < " + gate));
  Launch wide = script(2, "echo 2 >> " + order);
  wide.needs.cpu_milli = 2000;
  link.send(wide);
  link.send(script(3, "echo 3 >> " + order));
  link.started(1);
  wait_for_file(order, [](const std::string& text) { return text == "1\n"; });
  link.send(ReadLog{});
  link.wait<LogData>();  // everything before it was looked at
  CHECK_FALSE(link.has([](const ToDaemon& message) { return std::holds_alternative<Started>(message); }));
  link.send(script(4, "true"));
  {
    std::ofstream(gate) << "go\n";
  }
  CHECK(link.exited(2).detail == 0);
  CHECK(link.exited(3).detail == 0);
  CHECK(link.exited(4).detail == 0);
  CHECK(read_file(order) == "1\n2\n3\n");
}

TEST_CASE("logs of attempts are apart, can be cut, and outlive their attempt") {
  Host host;
  Link link(host);
  link.greet(1, 1);
  link.send(script(1, "echo first"));
  link.send(script(2, "true"));
  link.send(script(3, "printf 'a%.0s' $(seq 1000); echo end"));
  const LogExtent first = link.exited(1).log;
  const LogExtent second = link.exited(2).log;
  const LogExtent third = link.exited(3).log;
  CHECK(second.from == second.to);
  const auto open = [](LogExtent extent) {
    extent.to = LogExtent::kOpen;
    return extent;
  };
  CHECK(link.log(open(first)) == "first\n");
  CHECK(link.log(open(second)).empty());
  CHECK(link.log(third, true, 6) == "aaend\n");
  CHECK(link.log(third, false, 3) == "aaa");
  link.send(Forget{{AttemptId(1), AttemptId(2), AttemptId(3)}});
  CHECK(link.log(first) == "first\n");
  link.send(ReadLog{.request = 5, .extent = {999, 0, 10}, .max_bytes = 10, .from_end = false});
  const LogData gone = link.wait<LogData>();
  CHECK(gone.request == 5);
  CHECK_FALSE(gone.error.empty());
}

TEST_CASE("a task that truncates its log does so to nobody else's") {
  Host host;
  Link link(host);
  link.greet(1, 1);  // one slot for all of them
  link.send(script(1, "echo first"));
  const LogExtent first = link.exited(1).log;
  link.send(script(2, "echo lost; echo kept > /dev/stderr; echo more | tee -a /dev/stderr > /dev/null"));
  const LogExtent second = link.exited(2).log;
  link.send(script(3, "echo third; echo cut; : > /dev/stdout"));
  const LogExtent third = link.exited(3).log;
  link.send(script(4, "echo fourth"));
  const LogExtent fourth = link.exited(4).log;
  CHECK(link.log(first) == "first\n");
  CHECK(link.log(second) == "kept\nmore\n");
  CHECK(link.log(third).empty());
  CHECK(link.log(fourth) == "fourth\n");
}

TEST_CASE("an attempt finds its scratch folder empty, and nothing outside is removed") {
  Host host;
  Link link(host);
  link.greet(1, 1);
  const std::string outside = host.root() + "/outside";
  link.send(script(1, "mkdir -p " + outside + "/deep; echo keep > " + outside + "/deep/file\n" +
                          "mkdir -p a/b/c; echo x > a/b/c/d; ln -s " + outside + " link; ln -s " + outside +
                          " a/b/link; chmod 000 a/b; touch .hidden; chmod 500 .; echo $PWD"));
  CHECK(link.exited(1).detail == 0);
  link.send(script(2, "test -z \"$(ls -A .)\"; touch left; cd ..; rm -rf tmp; ln -s " + outside + " tmp"));
  CHECK(link.exited(2).detail == 0);
  link.send(script(3, "test -z \"$(ls -A .)\"; test \"$(pwd -P)\" = \"$BATON_TMPDIR\""));
  CHECK(link.exited(3).detail == 0);
  CHECK(read_file(outside + "/deep/file") == "keep\n");
}

}  // namespace baton::test
