#include <baton/base/limits.hpp>

#include "follow.hpp"
#include "json_output.hpp"
#include "progress_text.hpp"
#include "style.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

struct EventsOptions {
  std::string run;
  bool follow = false;
  std::optional<std::uint64_t> tail;
};

constexpr std::uint64_t kDefaultTail = 100;

void print_event(Session& session, const views::EventView& event) {
  if (session.json()) {  // a line for each, because there may be no end
    const nlohmann::json json = event;
    session.out.write(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
    return;
  }
  if (session.options.format == Format::name) {
    session.out.print("{}\n", event.seq);
    return;
  }
  Line line;
  line.add(local_time(event.at), Style::dim).add("  ").add(event.run).add("  ").add(event.workflow);
  if (!event.name.empty()) line.add("/").add(event.name);
  line.add("  ").add(event.state, look_of(event.state).style);
  if (event.attempt > 1) line.add(fmt::format("  attempt {}", event.attempt));
  if (!event.reason.empty()) line.add("  ").add(event.reason);
  session.out.write(line.render(0, session.out.colour()) + '\n');
}

}  // namespace

Action declare_events(Arguments& arguments) {
  auto options = std::make_shared<EventsOptions>();
  arguments.operand("RUN", options->run, Operand::run, "Of this run only", false);
  arguments.flag("-f,--follow", options->follow, "Go on with what happens; of a run: until it ends");
  arguments.number("--tail", options->tail, "Only the last N (100; with a run: all of them), at most 10000; 0: all",
                   limits::kEventTail);
  return [options](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    api::EventQuery query;
    if (!options->run.empty()) {
      const auto run = client->run(options->run);
      if (!run) return std::unexpected(run.error());
      query.run = run->id;
    }
    query.tail = options->tail.value_or(query.run.empty() ? kDefaultTail : 0);
    query.follow = options->follow;
    Interrupts interrupts;
    const auto end = client->events(
        query,
        [&](const views::EventView& event) {
          print_event(session, event);
          if (options->follow) session.out.flush();
          return session.out.ok();
        },
        interrupts.fd());
    if (!end) return std::unexpected(end.error());
    return interrupts.take(std::chrono::milliseconds(0)) ? kExitInterrupted : kExitSucceeded;
  };
}

}  // namespace baton::cli
