#include "worker/link.hpp"

#include "worker/boot_file.hpp"
#include "worker/translate.hpp"

#include <baton/base/limits.hpp>
#include <baton/base/mutation.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace baton::executor {
namespace {

WorkerExecutorOptions without_links(const WorkerExecutorOptions& options) {
  WorkerExecutorOptions copy = options;
  copy.links.clear();
  return copy;
}

}  // namespace

Link::Link(LinkPorts& ports, const WorkerExecutorOptions& options, LinkOptions link, EventSink sink)
    : ports_(ports),
      options_(without_links(options)),
      link_(std::move(link)),
      sink_(std::move(sink)),
      pause_before_retry_(options.first_retry),
      retry_timer_(ports.make_timer()),
      handshake_timer_(ports.make_timer()),
      down_timer_(ports.make_timer()),
      steady_timer_(ports.make_timer()),
      silence_(ports.make_timer(), options.look_every, options.silent_looks,
               [this](Duration silence) { on_silence(silence); }) {
  status_.id = link_.id;
  status_.name = link_.name;
  status_.labels = link_.labels;
  status_.capacity = to_resources(link_.capacity);
}

void Link::start() {
  ports_.post([self = shared_from_this()] { self->dial(); });
}

void Link::stop() {
  stopped_ = true;
  drop_connection();
  retry_timer_->cancel();
  down_timer_->cancel();
}

void Link::dial() {
  if (stopped_) return;
  greeted_ = false;
  std::weak_ptr<Link> weak = weak_from_this();
  Result<std::shared_ptr<Stream>> stream = ports_.dial(link_, {.messages =
                                                                   [weak](std::vector<wire::ToDaemon> messages) {
                                                                     if (auto self = weak.lock())
                                                                       self->on_messages(std::move(messages));
                                                                   },
                                                               .closed =
                                                                   [weak](Error error) {
                                                                     if (auto self = weak.lock())
                                                                       self->on_closed(std::move(error));
                                                                   }});
  if (!stream) return on_closed(std::move(stream.error()));
  connection_ = std::move(*stream);
  connection_->pause(paused_);
  connection_->send(wire::Hello{.protocol = wire::kProtocolVersion,
                                .daemon_id = options_.daemon_id,
                                .incarnation = options_.incarnation,
                                .capacity = link_.capacity});
  arm_handshake_timer();
}

void Link::arm_handshake_timer() {
  handshake_timer_->start(options_.handshake_timeout, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->greeted_ || self->stopped_) return;
    self->on_closed({ErrorCode::unavailable, "the worker session does not answer"});
  });
}

void Link::on_silence(Duration silence) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence);
  on_closed({ErrorCode::unavailable, fmt::format("the worker session has not answered for {} s", seconds.count())});
}

void Link::on_messages(std::vector<wire::ToDaemon> messages) {
  std::vector<engine::Event> events;
  events.reserve(messages.size());
  std::vector<wire::LogData> logs;
  std::optional<Error> error;
  for (wire::ToDaemon& message : messages) {
    if (auto* refused = std::get_if<wire::Refused>(&message)) {
      error = Error{ErrorCode::denied, fmt::format("refused: {}", bounded_text(std::move(refused->reason)))};
      break;
    }
    const bool is_welcome = std::holds_alternative<wire::Welcome>(message);
    if (is_welcome == greeted_) {
      error = Error{ErrorCode::corrupt, is_welcome ? "a second Welcome" : "a message before Welcome"};
      break;
    }
    if (auto* welcome = std::get_if<wire::Welcome>(&message)) {
      if (welcome->protocol != wire::kProtocolVersion) {
        error = Error{ErrorCode::newer_format,
                      fmt::format("speaks protocol {}, this daemon {}", welcome->protocol, wire::kProtocolVersion)};
        break;
      }
      on_welcome(std::move(*welcome), events);
    } else if (auto* started = std::get_if<wire::Started>(&message)) {
      events.emplace_back(to_started(link_.id, *started));
    } else if (auto* exited = std::get_if<wire::Exited>(&message)) {
      events.emplace_back(to_ended(link_.id, exited->attempt, std::move(exited->outcome)));
    } else if (auto* data = std::get_if<wire::LogData>(&message)) {
      logs.push_back(std::move(*data));
    }
  }
  if (!events.empty()) sink_(std::move(events));
  for (wire::LogData& data : logs) on_log_data(std::move(data));
  if (error) on_closed(std::move(*error));
}

void Link::on_welcome(wire::Welcome welcome, std::vector<engine::Event>& events) {
  bound_words(welcome);
  greeted_ = true;
  ++unsettled_ups_;
  handshake_timer_->cancel();
  down_timer_->cancel();
  down_reported_ = false;
  // Not before: a session that greets and then fails would be started ten times a second.
  steady_timer_->start(options_.steady_after, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->pause_before_retry_ = self->options_.first_retry;
  });
  silence_.watch(connection_);
  boot_id_ = welcome.boot_id;
  const std::string before = read_boot_file(link_.boot_file);
  const bool rebooted = !before.empty() && before != boot_id_ && !mutated(Mutation::ignore_reboot);
  status_.state = WorkerState::online;
  status_.problem.clear();
  status_.host = welcome.host;
  status_.version = welcome.version;
  status_.containment = welcome.containment;
  status_.gpus = welcome.gpus;
  status_.capacity = to_resources(welcome.capacity);
  spdlog::info("worker {}: online ({}, {} attempts known{})", link_.name, welcome.host, welcome.inventory.size(),
               rebooted ? ", rebooted" : "");
  events = welcome_events(link_.id, link_.name, link_.labels, rebooted, std::move(welcome));
}

void Link::on_log_data(wire::LogData data) {
  const auto read = reads_.find(data.request);
  if (read == reads_.end()) return;  // nobody asked: the worker is not trusted
  const auto done = std::move(read->second);
  reads_.erase(read);
  if (!data.error.empty()) {
    return done(fail(ErrorCode::io, "worker {}: {}", link_.name, bounded_text(std::move(data.error))));
  }
  done(LogChunk{.offset = data.offset, .bytes = std::move(data.bytes), .end = data.end});
}

void Link::drop_connection() {
  handshake_timer_->cancel();
  steady_timer_->cancel();
  silence_.stop();
  if (connection_) connection_->close();
  connection_.reset();
  greeted_ = false;
  auto reads = std::exchange(reads_, {});
  for (auto& [request, done] : reads) {
    ports_.post([done = std::move(done), name = link_.name] {
      done(fail(ErrorCode::unavailable, "worker {} is not online", name));
    });
  }
}

void Link::on_closed(Error error) {
  if (stopped_) return;
  const bool was_online = greeted_;
  drop_connection();
  if (status_.problem != error.message) spdlog::warn("worker {}: {}", link_.name, error.message);
  status_.problem = std::move(error.message);
  if (was_online) {
    status_.state = WorkerState::connecting;
    down_timer_->start(options_.down_after, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (self && !self->greeted_) self->report_down();
    });
  } else if (!ever_dialled_) {
    report_down();
  }
  ever_dialled_ = true;
  retry_later();
}

void Link::report_down() {
  if (stopped_ || down_reported_) return;
  down_reported_ = true;
  status_.state = WorkerState::offline;
  spdlog::warn("worker {}: offline: {}", link_.name, status_.problem);
  std::vector<engine::Event> events;
  events.emplace_back(engine::WorkerDown{.worker = link_.id});
  sink_(std::move(events));
}

void Link::retry_later() {
  retry_timer_->start(pause_before_retry_, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self && !self->connection_) self->dial();
  });
  pause_before_retry_ = std::min(pause_before_retry_ * 2, options_.last_retry);
}

void Link::send(const wire::ToWorker& message) {
  const auto* launch = std::get_if<wire::Launch>(&message);
  if (launch != nullptr && unsettled_ups_ > 0) return;
  if (!connection_ || !greeted_ || connection_->send(message) || launch == nullptr) return;
  refuse(launch->attempt,
         fmt::format("the task cannot be sent to its worker: with its script, arguments and environment "
                     "it is over {} MiB",
                     limits::kFrameBytes >> 20));
}

// An attempt that never reaches its worker ends as if the worker had refused it.
void Link::refuse(AttemptId attempt, std::string message) {
  wire::Outcome outcome;
  outcome.cause = wire::ExitCause::spawn_error;
  outcome.detail = E2BIG;
  outcome.message = std::move(message);
  outcome.ended_at = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  ports_.post([weak = weak_from_this(), attempt, outcome = std::move(outcome)] {
    auto self = weak.lock();
    if (!self || self->stopped_) return;
    std::vector<engine::Event> events;
    events.emplace_back(to_ended(self->link_.id, attempt, outcome));
    self->sink_(std::move(events));
  });
}

void Link::read_log(engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                    std::function<void(Result<LogChunk>)> done) {
  std::optional<Error> error;
  if (!connection_ || !greeted_) {
    error = Error{ErrorCode::unavailable, fmt::format("worker {} is not online", link_.name)};
  } else if (reads_.size() >= kOpenReads) {
    error = Error{ErrorCode::limit, fmt::format("too many log readers on worker {}", link_.name)};
  }
  if (error) {
    ports_.post([done = std::move(done), error = std::move(*error)] { done(std::unexpected(error)); });
    return;
  }
  const std::uint64_t request = next_read_++;
  reads_.emplace(request, std::move(done));
  connection_->send(
      wire::ReadLog{.request = request,
                    .extent = to_extent(place),
                    .max_bytes = std::min<std::uint32_t>(max_bytes, static_cast<std::uint32_t>(limits::kLogChunkBytes)),
                    .from_end = from_end});
}

void Link::remember_boot() {
  // A WorkerUp behind this one may be of another boot, whose consequences are not committed yet.
  if (unsettled_ups_ > 0 && --unsettled_ups_ > 0) return;
  if (boot_id_.empty()) return;
  if (const Result<> written = write_boot_file(link_.boot_file, boot_id_); !written) {
    spdlog::error("worker {}: {}", link_.name, written.error().message);
  }
}

void Link::pause(bool paused) {
  paused_ = paused;
  silence_.pause(paused);
  if (connection_) connection_->pause(paused);
}

}  // namespace baton::executor
