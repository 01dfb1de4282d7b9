// GET /v1/events and /v1/runs/{ref}/events: what changed, in order; as lines of JSON, or as server-sent events for who
// accepts text/event-stream. An error after the first byte is a last line {"problem": …}, or an event `problem`.
#include <baton/base/limits.hpp>

#include <limits>

#include "../connection.hpp"
#include "../problem.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kAll = "/v1/events";
constexpr std::string_view kOfRun = "/v1/runs/{ref}/events";

enum class Format { lines, server_sent };

std::string problem_text(Format format, const Problem& problem) {
  const nlohmann::json json = problem_json(problem, status_of(problem.error.code));
  return format == Format::lines ? dump({{"problem", json}}) + '\n'
                                 : fmt::format("event: problem\ndata: {}\n\n", dump(json));
}

// Turns events into text as the connection pulls it.
class EventText final : public ByteSource, public std::enable_shared_from_this<EventText> {
 public:
  EventText(std::shared_ptr<EventSource> events, Format format) : events_(std::move(events)), format_(format) {}

  void next(std::function<void(Result<std::string>)> done) override {
    if (broken_) return done(std::string());
    // The event source may outlive this object while it hands over its last piece.
    events_->next([weak = weak_from_this(), done = std::move(done)](Result<std::vector<views::EventView>> events) {
      if (auto self = weak.lock()) done(self->text(events));
    });
  }

 private:
  Result<std::string> text(const Result<std::vector<views::EventView>>& events) try {
    std::string out;
    if (!events) {
      broken_ = true;
      return problem_text(format_, {events.error(), {}});
    }
    for (const views::EventView& event : *events) {
      const std::string json = dump(event);
      if (format_ == Format::lines) {
        out += json + '\n';
      } else {
        out += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.type, json);
      }
    }
    return out;
  } catch (const std::exception& exception) {
    return fail(ErrorCode::internal, "events cannot be written: {}", exception.what());
  }

  std::shared_ptr<EventSource> events_;
  Format format_;
  bool broken_ = false;
};

// Where to go on: what the client saw last, which a browser repeats as a header when it comes back, counts more than
// the query it came with first.
Result<std::uint64_t> resume_after(const Request& request, std::uint64_t after) {
  if (request.last_event_id.empty()) return after;
  Request header;
  header.query.emplace_back("Last-Event-ID", request.last_event_id);
  QueryFields fields(header);
  const auto seen = fields.number("Last-Event-ID", 0, std::numeric_limits<std::uint64_t>::max());
  if (!seen) return fail(ErrorCode::invalid_argument, "Last-Event-ID must be the number of an event");
  return *seen;
}

void handle_events(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  EventQuery asked;
  if (!request.captures.empty()) asked.run = request.captures[0];
  asked.after = query.number("after", 0, kMax).value_or(0);
  asked.tail = query.number("tail", 0, limits::kEventTail).value_or(0);
  asked.follow = query.flag("follow");
  if (auto read = query.finish(); !read) return reply.error(read.error());
  auto after = resume_after(request, asked.after);
  if (!after) return reply.error(after.error());
  asked.after = *after;

  const bool follow = asked.follow;
  const Format format =
      request.accept.find("text/event-stream") != std::string::npos ? Format::server_sent : Format::lines;
  backend.events(
      std::move(asked),
      reply.with<std::shared_ptr<EventSource>>([follow, format](const Reply& to, std::shared_ptr<EventSource> events) {
        to.stream({format == Format::lines ? "application/x-ndjson" : "text/event-stream",
                   std::make_shared<EventText>(std::move(events), format), follow,
                   [format](const Problem& problem) { return problem_text(format, problem); }});
      }));
}

}  // namespace

Route requests::all_events() { return {"GET", kAll, Permission::read, handle_events}; }
Route requests::run_events() { return {"GET", kOfRun, Permission::read, handle_events}; }

Answer<void> Client::events(const EventQuery& query, const std::function<bool(const views::EventView&)>& on_event,
                            int interrupt_fd) {
  Target target(query.run.empty() ? kAll : kOfRun, {query.run});
  target.with_number("after", query.after).with_number("tail", query.tail).with_flag("follow", query.follow);

  std::string line;  // what came of a line that has not ended yet
  std::optional<Problem> problem;
  const auto on_line = [&](std::string_view text) {
    try {
      const nlohmann::json json = nlohmann::json::parse(text);
      if (const auto bad = json.find("problem"); bad != json.end()) {
        problem = problem_from_json(*bad, bad->value("status", 500u));
        return false;
      }
      return on_event(json.get<views::EventView>());
    } catch (const nlohmann::json::exception& exception) {
      problem = connection_->not_understood(exception);
      return false;
    }
  };
  auto streamed = connection_->stream(
      {"GET", std::move(target), {}, {}},
      [&](std::string_view bytes) {
        for (std::size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
          line += bytes.substr(0, end);
          bytes.remove_prefix(end + 1);
          if (!line.empty() && !on_line(line)) return false;
          line.clear();
        }
        line += bytes;
        return true;
      },
      interrupt_fd);
  if (problem) return std::unexpected(std::move(*problem));
  return streamed;
}

}  // namespace baton::api
