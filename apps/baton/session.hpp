// What every verb gets: the global options, where things are, where to write, and a way to the daemon.
#pragma once
#include <baton/api/client.hpp>
#include <baton/base/locations.hpp>

#include <functional>
#include <string>
#include <vector>

#include "exit_codes.hpp"
#include "output.hpp"

namespace baton::cli {

enum class Format { table, wide, json, name };

struct GlobalOptions {
  Format format = Format::table;
  bool quiet = false;
  bool no_color = false;
  bool no_start = false;
  LocationOverrides locations;
};

// How a verb ends: an exit code, or a problem that the program prints and turns into one.
using Outcome = api::Answer<int>;

// A problem that consists of one error.
template <class... Args>
[[nodiscard]] std::unexpected<api::Problem> refuse(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(api::Problem{{code, fmt::format(format, std::forward<Args>(args)...)}, {}});
}
[[nodiscard]] inline std::unexpected<api::Problem> refuse(Error error) {
  return std::unexpected(api::Problem{std::move(error), {}});
}

class Session {
 public:
  // `locations` may be an error, which matters to those verbs alone that need them.
  Session(GlobalOptions options, Result<Locations> locations, Output& out, Output& err);

  const GlobalOptions options;
  const Result<Locations> found_locations;
  Output& out;
  Output& err;

  [[nodiscard]] bool json() const { return options.format == Format::json; }
  // Names alone: -o name or -q.
  [[nodiscard]] bool names_only() const { return options.format == Format::name || options.quiet; }

  // Only after found_locations or connect() said that they are known.
  [[nodiscard]] const Locations& locations() const { return *found_locations; }
  // Where the daemon was found last: on its socket, or where its state says that it listens.
  [[nodiscard]] const std::string& socket() const { return socket_; }

  // A client of a daemon that answers; one is started if none does and that is allowed.
  api::Answer<api::Client> connect();
  // Never starts one: unavailable if none answers.
  api::Answer<api::Client> connect_if_running();
  // true: one answers. unavailable: one has the state and does not listen.
  api::Answer<bool> find();
  // Starts one, or finds it. true: this call started it.
  api::Answer<bool> start();
  // Of the daemon that was found last. Says once that an answer is slow to come, as that of a daemon that was stopped
  // with SIGSTOP.
  api::Client client();
  // `baton: …` on standard error, for what the user should know; not with -q.
  void notice(const std::string& text);

 private:
  std::string socket_;
  bool said_slow_ = false;
};

// What the verb does once its arguments are read.
using Action = std::function<Outcome(Session&)>;

}  // namespace baton::cli
