#include "attach.hpp"

#include <baton/base/text.hpp>

#include <algorithm>
#include <memory>
#include <optional>

#include "follow.hpp"
#include "json_output.hpp"
#include "live_display.hpp"
#include "progress.hpp"
#include "progress_text.hpp"
#include "run_result.hpp"
#include "run_text.hpp"
#include "shell.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kSecondInterruptWithin{2'000};
constexpr milliseconds kBetweenRefreshes{1'000};
// When nothing of a run has started for so long, it is said why.
constexpr milliseconds kPatience{3'000};

class ProgressListener : public RunListener {
 public:
  ProgressListener(Session& session, Output& out, const views::RunView& run)
      : session_(session), out_(out), progress_(run), plain_(out.colour()), display_(out), client_(session.socket()) {}

  void on_events(std::span<const views::EventView> events) override {
    for (const views::EventView& event : events) {
      const auto change = progress_.apply(event);
      if (!change) continue;
      if (!out_.can_redraw()) {
        out_.write(plain_.lines(progress_, *change));
      } else if (const auto line = lasting_line(progress_, *change, out_.size().columns - 1, out_.colour())) {
        lasting_ += *line + '\n';
      }
      if (change->state == "awaiting_approval") announce_approval(*change);
    }
  }

  void on_break() override {
    draw(true);
    display_.clear();
  }

  [[nodiscard]] milliseconds tick() const override {
    if (out_.can_redraw()) return LiveDisplay::kBetweenDraws;
    return may_say_why_ && !has_begun() ? kPatience : milliseconds(0);
  }

  void on_tick() override {
    refresh_totals();
    say_why_nothing_starts();
    draw(false);
  }

 private:
  void draw(bool even_if_early) {
    if (!out_.can_redraw()) return out_.flush();
    if (!even_if_early && !display_.is_due()) return;
    display_.draw(lasting_, live_block(progress_, now(), out_.size(), out_.colour()));
    lasting_.clear();
  }

  void show(const std::string& text) {
    if (out_.can_redraw()) {
      lasting_ += text;
    } else {
      out_.write(text);
    }
  }

  [[nodiscard]] bool has_begun() const { return progress_.active_size() + progress_.ended() > 0; }

  // Once: no worker may be online, or none big enough. Not vital either.
  void say_why_nothing_starts() {
    if (!may_say_why_ || has_begun() || steady_clock::now() - attached_ < kPatience) return;
    may_say_why_ = false;
    const auto why = client_.why(progress_.run().id, "");
    if (!why) return;
    show(Line()
             .add("? ", Style::yellow)
             .add("nothing has started yet: " + why->substr(0, why->find('\n')))
             .render(0, out_.colour()) +
         '\n');
  }

  // A dynamic matrix got its instances. Not vital: without an answer the totals stay as they are.
  void refresh_totals() {
    if (!progress_.needs_refresh() || steady_clock::now() - refreshed_ < kBetweenRefreshes) return;
    refreshed_ = steady_clock::now();
    if (const auto run = client_.run(progress_.run().id)) progress_.refresh(*run);
  }

  void announce_approval(const RunProgress::Change& change) {
    api::TaskQuery query;
    query.run = change.run;
    query.task = change.instance;
    query.limit = 1;
    const auto page = client_.tasks(query);
    const std::string message = page && !page->items.empty() ? page->items.front().approval_message : std::string();
    const std::string text = Line()
                                 .add("? ", Style::yellow)
                                 .add(fmt::format("{} waits for approval", change.name))
                                 .add(message.empty() ? "" : ": " + message)
                                 .render(0, out_.colour()) +
                             fmt::format("\n    baton approve {0} {1}    or    baton reject {0} {1}\n", change.run,
                                         shell_quoted(escape_control(change.instance)));
    show(text);
  }

  Session& session_;
  Output& out_;
  RunProgress progress_;
  PlainProgress plain_;
  LiveDisplay display_;
  api::Client client_;  // beside the stream's own connection
  std::string lasting_;
  steady_clock::time_point refreshed_{};
  const steady_clock::time_point attached_ = steady_clock::now();
  bool may_say_why_ = true;
};

// -q: nothing is shown.
class SilentListener : public RunListener {
 public:
  void on_events(std::span<const views::EventView>) override {}
};

Outcome conclude(Session& session, Output& out, const std::string& id) {
  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  const auto run = client->run(id);
  if (!run) return std::unexpected(run.error());
  if (!session.options.quiet) {
    show_result(*client, out, *run);
    out.flush();
  }
  if (session.json()) {
    if (auto written = write_run_json(session.out, *client, *run); !written) return std::unexpected(written.error());
  }
  return exit_code_of(*run);
}

Outcome detach(Session& session, Interrupts& interrupts, const std::string& id, bool& cancelled) {
  session.err.print(
      "baton: detached, the run goes on. Its result: baton wait {0}   its logs: baton logs -f {0}   end it: baton "
      "cancel {0}\n"
      "baton: press Ctrl-C again within 2 s to cancel it\n",
      id);
  session.err.flush();
  cancelled = interrupts.take(kSecondInterruptWithin);
  if (!cancelled) return kExitInterrupted;
  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  const auto run = client->cancel(id, "interrupted twice");
  if (!run) return std::unexpected(run.error());
  session.notice(fmt::format("cancelling run {}", id));
  return kExitCancelled;
}

}  // namespace

Outcome attach(Session& session, const views::RunView& run) {
  // With -o json standard output is for the result alone.
  Output& out = session.json() ? session.err : session.out;
  if (session.options.quiet) {
    session.out.print("{}\n", run.id);
  } else {
    out.print("run {} ({} #{})\n", run.id, escape_control(run.workflow), run.number);
  }
  out.flush();
  session.out.flush();

  Interrupts interrupts;
  FollowQuery query;
  query.run = run.id;
  std::unique_ptr<RunListener> listener;
  if (session.options.quiet) {
    listener = std::make_unique<SilentListener>();
  } else {
    listener = std::make_unique<ProgressListener>(session, out, run);
  }
  bool cancelled = false;
  while (true) {
    const auto end = follow(session, query, *listener, interrupts);
    listener->on_break();
    if (!end) return std::unexpected(end.error());
    if (*end != FollowEnd::interrupted) {
      const Interrupts::Suspended suspended(interrupts);
      return conclude(session, out, run.id);
    }
    if (cancelled) return kExitInterrupted;  // Ctrl-C again: not even waiting for the end of what was cancelled
    const Outcome left = detach(session, interrupts, run.id, cancelled);
    if (!left) return left;
    if (!cancelled) return *left;
  }
}

}  // namespace baton::cli
