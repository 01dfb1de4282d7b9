// A session whose output is in files, and what a scripted daemon tells of a run r1.
#pragma once
#include <baton/base/descriptor.hpp>

#include <fcntl.h>

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "scripted_daemon.hpp"
#include "session.hpp"
#include "temp_folder.hpp"
#include "verbs.hpp"
#include "workflow_files.hpp"

namespace baton::cli {

using test::Script;
using test::ScriptedDaemon;
using test::TempFolder;

inline views::EventView event(std::uint64_t seq, const std::string& name, const std::string& state) {
  views::EventView view;
  view.seq = seq;
  view.at = *parse_rfc3339("2026-03-29T12:00:00Z") + std::chrono::seconds(seq);
  view.run = "r1";
  view.workflow = "digits";
  view.type = name.empty() ? "run" : "task";
  view.name = name;
  view.task = name;
  view.state = state;
  view.attempt = 1;
  return view;
}

inline Script script(const std::string& run_state, std::vector<views::EventView> events, bool streams_end = false) {
  Script result;
  result.run.id = "r1";
  result.run.workflow = "digits";
  result.run.number = 3;
  result.run.state = run_state;
  views::TaskSummary summary;
  summary.task = "a";
  summary.states = {{run_state == "succeeded" ? "succeeded" : "waiting", 1}};
  result.run.summary = {summary};
  result.events = std::move(events);
  result.streams_end = streams_end;
  return result;
}

// A session with its output in files.
class Console {
 public:
  explicit Console(bool quiet = false)
      : out_fd_(::open((folder / "out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        err_fd_(::open((folder / "err").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        out_(out_fd_.get(), false),
        err_(err_fd_.get(), false),
        session(options(quiet), locations(folder), out_, err_) {}

  std::string out() {
    out_.flush();
    return *read_file(folder / "out", 1 << 20);
  }
  std::string err() {
    err_.flush();
    return *read_file(folder / "err", 1 << 20);
  }
  [[nodiscard]] std::string socket() const { return folder / "s"; }

  TempFolder folder;

 private:
  static GlobalOptions options(bool quiet) {
    GlobalOptions result;
    result.quiet = quiet;
    result.no_start = true;
    return result;
  }
  static Locations locations(const TempFolder& folder) {
    Locations result;
    result.socket = folder / "s";
    result.state_dir = folder / "state";
    return result;
  }
  Descriptor out_fd_, err_fd_;
  Output out_, err_;

 public:
  Session session;
};

inline Outcome performed(Console& console, const std::vector<std::string>& arguments) {
  auto parsed = CommandLine(verbs()).parse(arguments);
  REQUIRE(parsed);
  return parsed->action(console.session);
}

}  // namespace baton::cli
