#include <csignal>
#include <filesystem>
#include <fstream>

#include "client.hpp"

namespace baton::test {
namespace {

// Runs until somebody writes to its gate. A worker folder that is removed takes nothing from it that it needs.
Launch gated(const Host& host, std::uint64_t attempt) {
  const std::string gate = host.root() + "/gate" + std::to_string(attempt);
  return command(attempt, {"sh", "-c", "mkfifo " + gate + "; read x < " + gate});
}

void open_gate(const Host& host, std::uint64_t attempt) {
  const std::string gate = host.root() + "/gate" + std::to_string(attempt);
  wait_for_file(gate + ".", [&](const std::string&) { return std::filesystem::is_fifo(gate); });
  std::ofstream(gate) << "x\n";
}

// Its worker may be writing into it meanwhile.
void remove_folder(const std::string& path) {
  std::error_code error;
  do std::filesystem::remove_all(path, error);
  while (error == std::errc::directory_not_empty);
  REQUIRE_FALSE(error);
}

}  // namespace

TEST_CASE("a supervisor whose folder was removed leaves when its tasks have ended") {
  Host host;
  pid_t supervisor = 0;
  {
    Link link(host);
    link.greet();
    for (const std::uint64_t attempt : {1u, 2u}) {
      link.send(gated(host, attempt));
      link.started(attempt);
    }
    supervisor = host.supervisor().value();
    link.close_input();
    link.wait_for_end();
  }
  remove_folder(host.folder());
  open_gate(host, 1);
  open_gate(host, 2);
  wait_for_process_end(supervisor);
  CHECK_FALSE(std::filesystem::exists(host.folder()));
}

TEST_CASE("what served a folder that was replaced writes nothing into its successor") {
  Host host;
  Link old(host);
  old.greet();
  old.send(gated(host, 1));
  const Started started = old.started(1);
  const pid_t old_session = host.session().value();
  const pid_t old_supervisor = host.supervisor().value();

  remove_folder(host.folder());
  Link link(host);
  CHECK(link.greet().inventory.empty());
  link.send(command(2, {"true"}));
  CHECK(link.exited(2).detail == 0);
  const std::string journal = read_file(host.folder() + "/journal");

  SECTION("its session ends") {
    old.close_input();
    old.wait_for_end();
    open_gate(host, 1);
    wait_for_process_end(static_cast<pid_t>(started.pid));
    wait_for_process_end(old_supervisor);
  }
  SECTION("its supervisor is killed, and its session has nobody to follow") {
    REQUIRE(::kill(old_supervisor, SIGKILL) == 0);
    old.wait_for_end();
    wait_for_process_end(old_session);
    open_gate(host, 1);
    wait_for_process_end(static_cast<pid_t>(started.pid));
  }
  CHECK(read_file(host.folder() + "/journal") == journal);
  link.send(command(3, {"true"}));
  CHECK(link.exited(3).detail == 0);
}

}  // namespace baton::test
