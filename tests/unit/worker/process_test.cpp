#include <baton/worker/clock.hpp>
#include <baton/worker/environment.hpp>
#include <baton/worker/journal.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/process_table.hpp>
#include <baton/worker/spawn.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "no_descriptors.hpp"
#include "process_setup.hpp"
#include "small_disk.hpp"
#include "temp_folder.hpp"

namespace baton::worker {
namespace {

class Spawner {
 public:
  Spawner() : journal_(std::move(*Journal::open(temp_.fd()))) {
    null_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    output_.reset(::open(temp_.path("out").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  }
  SpawnResult run(std::vector<const char*> argv, const char* directory = "/") {
    argv.push_back(nullptr);
    char* const environment[] = {const_cast<char*>("A=1"), nullptr};
    record.attempt = 42;
    return spawn({.file = argv[0],
                  .argv = const_cast<char* const*>(argv.data()),
                  .environment = environment,
                  .directory = directory,
                  .stdin_fd = null_.get(),
                  .output_fd = output_.get(),
                  .journal_fd = journal_.fd(),
                  .started = &record});
  }
  std::string output() { return slurp(temp_.path("out")); }
  std::vector<Record> records() { return *journal_.read_new(); }
  Record record{RecordKind::started};

 private:
  TempFolder temp_;
  Journal journal_;
  Descriptor null_, output_;
};

int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

}  // namespace

TEST_CASE("a spawned process records its start itself") {
  Spawner spawner;
  const SpawnResult result =
      spawner.run({"/bin/sh", "-c", "echo $A $PWD; kill -0 $$; test $(cut -d\" \" -f6 /proc/$$/stat) = $$"});
  REQUIRE(result.error == 0);
  const auto process = read_process(result.pid);
  REQUIRE(process);
  CHECK(same_process(spawner.record, process->start_ns));
  CHECK(WEXITSTATUS(wait_for(result.pid)) == 0);
  CHECK(spawner.output() == "1 /\n");
  const auto records = spawner.records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].attempt == 42);
  CHECK(records[0].pid == static_cast<std::uint32_t>(result.pid));
}

TEST_CASE("a spawn that fails says where, and leaves no zombie") {
  Spawner spawner;
  SpawnResult result = spawner.run({"/no/such/program"});
  CHECK(result.error == ENOENT);
  CHECK(result.stage == SpawnStage::exec);
  auto records = spawner.records();
  REQUIRE(records.size() == 2);
  CHECK(records[1].kind == RecordKind::spawn_failed);
  CHECK(records[1].end.status == ENOENT);
  result = spawner.run({"/bin/true"}, "/no/such/folder");
  CHECK(result.stage == SpawnStage::directory);
  CHECK(spawner.records().empty());  // nothing started
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a task may have as many descriptors as its user, however many its session has") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = 100;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  raise_descriptor_limit();
  rlimit raised{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &raised) == 0);
  CHECK(raised.rlim_cur == before.rlim_max);
  Spawner spawner;
  const SpawnResult result = spawner.run({"/bin/sh", "-c", "ulimit -Sn"});
  REQUIRE(result.error == 0);
  wait_for(result.pid);
  CHECK(spawner.output() == "100\n");
  restore_descriptor_limit();
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &raised) == 0);
  CHECK(raised.rlim_cur == 100);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("a signal goes to the process that is meant or to none") {
  Spawner spawner;
  const SpawnResult result = spawner.run({"/bin/sleep", "1000"});
  REQUIRE(result.error == 0);
  const auto process = read_process(result.pid);
  CHECK_FALSE(signal_process(result.pid, process->start_ns + 10'000'000u, SIGTERM));
  CHECK(signal_process(result.pid, process->start_ns, SIGKILL));
  CHECK(WTERMSIG(wait_for(result.pid)) == SIGKILL);  // the first fatal one is what ends a process
  CHECK_FALSE(signal_process(result.pid, process->start_ns, SIGKILL));
}

TEST_CASE("this process finds itself in /proc") {
  const auto self = read_process(::getpid());
  REQUIRE(self);
  CHECK(self->parent == ::getppid());
  CHECK(self->session == ::getsid(0));
  CHECK(self->start_ns < boot_ns());
  ChildList children(::getpid());
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  REQUIRE(children.read());
  CHECK(children.pids() == std::vector<pid_t>{child});
  ::kill(child, SIGKILL);
  wait_for(child);
  REQUIRE(children.read());
  CHECK(children.pids().empty());
}

TEST_CASE("a process that is gone is known to be") {
  Spawner spawner;
  const SpawnResult result = spawner.run({"/bin/true"});
  REQUIRE(result.error == 0);
  wait_for(result.pid);
  CHECK(read_process(result.pid).error().code == ErrorCode::not_found);
  CHECK(read_environment(result.pid)->empty());
  CHECK(read_processes().complete);
}

TEST_CASE("without descriptors to spare, a process cannot be looked at, which does not mean that it is gone") {
  const NoDescriptors none;
  const auto self = read_process(::getpid());
  REQUIRE_FALSE(self);
  CHECK(self.error().code == ErrorCode::io);
  CHECK_FALSE(read_environment(::getpid()));
  CHECK_FALSE(read_processes().complete);
}

TEST_CASE("programs are found on the path as execvp finds them") {
  TempFolder temp;
  const std::string tool = temp.path("tool");
  spill(tool, "#!/bin/sh\n");
  const std::string path = "relative::/nowhere:" + temp.folder().path;
  CHECK_FALSE(find_program("tool", path));  // not executable
  REQUIRE(::chmod(tool.c_str(), 0700) == 0);
  CHECK(find_program("tool", path) == tool);
  CHECK(find_program("./tool", "") == "./tool");
  CHECK_FALSE(find_program("logs", path));  // a folder
  CHECK_FALSE(find_program("", path));
}

TEST_CASE("the environment is composed by precedence, the worker's part first") {
  const char* const own[] = {"PATH=/a", "HOME=/h", "X=own", nullptr};
  const Environment environment(own);
  const Variables launch = {{"X", "first"}, {"Y", "1"}, {"X", "last"}, {"M", "lie"}};
  const EnvironmentBlock block = environment.compose(launch, {{"M", "7"}});
  std::vector<std::string> entries;
  for (char* const* entry = block.get(); *entry != nullptr; ++entry) entries.emplace_back(*entry);
  CHECK(entries.front() == "M=7");
  std::sort(entries.begin(), entries.end());
  CHECK(entries == std::vector<std::string>{"HOME=/h", "M=7", "PATH=/a", "X=last", "Y=1"});
  CHECK(environment.search_path({}) == "/a");
  CHECK(environment.search_path({{"PATH", "/b"}}) == "/b");
  CHECK_FALSE(Environment(nullptr).search_path({}).empty());
}

TEST_CASE("records say how an attempt ended") {
  Record started(RecordKind::started);
  started.time_us = 100;
  started.start.segment = 2;
  started.start.log_from = 5;
  started.start.timeout_us = 1'500'000;
  Record exited(RecordKind::exited);
  exited.time_us = 200;
  exited.end.log_to = 9;
  const auto of = [&](std::int32_t status, std::optional<wire::ExitCause> cause = std::nullopt) {
    exited.end.status = status;
    Record killed(RecordKind::killed);
    if (cause) killed.cause = static_cast<std::uint8_t>(*cause);
    return outcome_of(started, &exited, cause ? &killed : nullptr);
  };
  CHECK(of(wait_status(CLD_EXITED, 3)).detail == 3);
  CHECK(of(0).log == wire::LogExtent{2, 5, 9});
  const wire::Outcome crashed = of(wait_status(CLD_DUMPED, SIGSEGV));
  CHECK(crashed.cause == wire::ExitCause::signalled);
  CHECK(crashed.detail == SIGSEGV);
  CHECK(crashed.message == "killed by SIGSEGV (core dumped)");
  const wire::Outcome late = of(wait_status(CLD_KILLED, SIGKILL), wire::ExitCause::timeout);
  CHECK(late.cause == wire::ExitCause::timeout);
  CHECK(late.detail == 128 + SIGKILL);
  CHECK(late.message == "did not end within 1s500ms");
  CHECK(of(0, wire::ExitCause::cancelled).detail == 0);
  CHECK(outcome_of(started, nullptr, nullptr).cause == wire::ExitCause::worker_lost);

  const wire::Outcome plain = of(wait_status(CLD_EXITED, 3));
  CHECK(outcome_of_finished(finished_record(AttemptId(1), plain), &started) == plain);
}

TEST_CASE("who watches its children is not ended by a write that fails") {
  TempFolder temp;
  const std::string problem = testing::in_child([&]() -> std::string {
    if (watch_children() < 0) return "nothing is watched";
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
    ::close(ends[0]);
    if (::write(ends[1], "x", 1) >= 0 || errno != EPIPE) return "somebody reads the pipe";
    const Descriptor file(::open(temp.path("limited").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const rlimit nothing{.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &nothing) != 0) return "no limit";
    return ::write(file.get(), "x", 1) < 0 && errno == EFBIG ? "" : "the file grows";
  });
  CHECK(problem == "");
}

}  // namespace baton::worker
