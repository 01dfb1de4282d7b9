#include <algorithm>
#include <array>

#include "follow.hpp"
#include "json_output.hpp"
#include "style.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

struct WaitOptions {
  std::vector<std::string> runs;
  std::string timeout;
};

class EndListener : public RunListener {
 public:
  void on_events(std::span<const views::EventView>) override {}
};

// "90" is seconds, as sleep(1) and timeout(1) have it; everything else a duration of the language.
Result<std::optional<Duration>> parse_timeout(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const bool is_number = text.find_first_not_of("0123456789.") == std::string::npos;
  const auto duration = parse_duration(is_number ? text + "s" : text);
  if (!duration) return fail(ErrorCode::invalid_argument, "--timeout: {}", duration.error().message);
  return *duration;
}

// Of several runs' exit codes: any failure before a rejection before a cancellation.
int worse(int a, int b) {
  constexpr std::array<int, 4> kFromBest{kExitSucceeded, kExitCancelled, kExitRejected, kExitFailed};
  const auto rank = [&](int code) { return std::find(kFromBest.begin(), kFromBest.end(), code); };
  return rank(a) < rank(b) ? b : a;
}

Outcome wait_for(Session& session, const WaitOptions& options) {
  const auto timeout = parse_timeout(options.timeout);
  if (!timeout) return refuse(timeout.error());
  FollowQuery query;
  if (*timeout) query.deadline = std::chrono::steady_clock::now() + **timeout;
  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  std::vector<views::RunView> runs;  // all of them must exist before one is waited for
  for (const std::string& reference : options.runs) {
    auto run = client->run(reference);
    if (!run) return std::unexpected(run.error());
    runs.push_back(*std::move(run));
  }

  Interrupts interrupts;
  int code = kExitSucceeded;
  std::vector<views::RunView> ended;
  for (const views::RunView& run : runs) {
    if (!is_final_run_state(run.state)) {
      query.run = run.id;
      query.after = 0;
      query.tail = 1;
      EndListener listener;
      const auto end = follow(session, query, listener, interrupts);
      if (!end) return std::unexpected(end.error());
      if (*end == FollowEnd::interrupted) return kExitInterrupted;
      if (*end == FollowEnd::timed_out) {
        session.notice(fmt::format("timed out: run {} goes on", run.id));
        return kExitTimedOut;
      }
    }
    client = session.connect();
    if (!client) return std::unexpected(client.error());
    auto now = client->run(run.id);
    if (!now) return std::unexpected(now.error());
    code = worse(code, exit_code_of(*now));
    if (session.options.format == Format::name) {
      session.out.print("{}\n", now->id);
    } else if (!session.json() && !session.options.quiet) {
      session.out.print("{} {}\n", now->id, paint(now->state, look_of(now->state).style, session.out.colour()));
    }
    session.out.flush();
    ended.push_back(*std::move(now));
  }
  if (session.json()) write_json(session.out, ended);
  return code;
}

}  // namespace

Action declare_wait(Arguments& arguments) {
  auto options = std::make_shared<WaitOptions>();
  arguments.operands("RUN", options->runs, Operand::run, "The runs");
  arguments.text("--timeout", options->timeout, "DURATION",
                 "Give up after this time with exit code 124, such as 90s or 1h");
  return [options](Session& session) { return wait_for(session, *options); };
}

}  // namespace baton::cli
