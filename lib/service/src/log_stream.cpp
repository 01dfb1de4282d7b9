#include <baton/service/log_stream.hpp>

#include <baton/base/limits.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace baton::service {
namespace {

constexpr std::uint64_t kOpen = ~std::uint64_t{0};
constexpr auto kChunk = static_cast<std::uint32_t>(limits::kLogChunkBytes);
// How long a running attempt's log is left alone once nothing new was in it.
constexpr Duration kShortestPause = std::chrono::milliseconds(25);
constexpr Duration kLongestPause = std::chrono::seconds(1);
// Of tasks and of runs.
constexpr std::array<std::string_view, 5> kFinal{"succeeded", "failed", "skipped", "upstream_failed", "cancelled"};

class LogStream final : public api::ByteSource, public std::enable_shared_from_this<LogStream> {
 public:
  using Done = std::function<void(Result<std::string>)>;

  LogStream(LogStreamPorts ports, LogStreamOptions options, Masker masker)
      : ports_(std::move(ports)), options_(std::move(options)), masker_(std::move(masker)) {}

  void next(Done done) override {
    done_ = std::move(done);
    // Never from inside the caller's call.
    ports_.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->step();
    });
  }

 private:
  struct Located {
    std::optional<store::LogSource> source;
    bool never_starts = false;
  };

  void step() {
    if (!done_) return;
    pause_.reset();
    if (finished_) return give("");
    if (stale_) return locate();
    if (!source_ || source_->place.segment == 0) {
      if (source_ && source_->ended) return finish();
      return options_.follow ? wait() : finish();
    }
    if (!at_ && options_.tail) return find_tail(source_->place.to);
    if (!at_) at_ = source_->place.from;
    read();
  }

  // Asks the store which attempt it is and where its log is by now.
  void locate() {
    stale_ = false;
    if (options_.follow && !watch_) {
      watch_ = ports_.feed->watch(options_.run_id, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->on_news();
      });
    }
    asking_ = true;
    ports_.store->ask<Located>([options = options_](store::Queries& queries) { return find_source(queries, options); },
                               [weak = weak_from_this()](Result<Located> located) {
                                 if (auto self = weak.lock()) self->on_located(std::move(located));
                               });
  }

  // On the store's reading thread.
  static Result<Located> find_source(store::Queries& queries, const LogStreamOptions& options) {
    const auto& [run, run_id, task, attempt, tail, follow] = options;
    Result<std::vector<store::LogSource>> sources = queries.logs(run, task, attempt, false, 2);
    if (!sources) return std::unexpected(sources.error());
    if (sources->size() > 1) {
      return fail(ErrorCode::conflict, "there are several logs, name one of them, such as {}",
                  sources->front().task_name);
    }
    if (!sources->empty()) return Located{.source = std::move(sources->front()), .never_starts = false};
    const Result<views::Page<views::TaskView>> tasks = queries.tasks(run, task, "", "", 2);
    if (!tasks) return std::unexpected(tasks.error());
    if (tasks->items.empty()) return fail(ErrorCode::not_found, "the run has no task {}", task);
    const auto is_final = [](const auto& item) { return std::ranges::find(kFinal, item.state) != kFinal.end(); };
    bool over = std::ranges::all_of(tasks->items, is_final);
    if (over && !tasks->next_cursor.empty()) {  // of the instances that were not looked at one may start yet
      const Result<views::RunView> whole = queries.run(run);
      if (!whole) return std::unexpected(whole.error());
      over = is_final(*whole);
    }
    if (attempt != 0 && (over || !follow)) return fail(ErrorCode::not_found, "{} has no attempt {}", task, attempt);
    return Located{.source = std::nullopt, .never_starts = over};
  }

  void on_located(Result<Located> located) {
    asking_ = false;
    if (!located) return give(std::unexpected(located.error()));
    if (located->never_starts) return finish();
    if (located->source) {
      source_ = std::move(located->source);
      // From now on this attempt and no other, also if it is tried again.
      options_.attempt = source_->attempt;
      options_.task = source_->task_name;
    }
    step();
  }

  void read() {
    const Result<WorkerId> worker = find_worker();
    if (!worker) return give(std::unexpected(worker.error()));
    if (source_->place.to != kOpen && *at_ >= source_->place.to && !was_emptied(source_->place.to)) return finish();
    engine::LogPlace place = source_->place;
    place.from = *at_;
    ports_.executor->read_log(*worker, place, kChunk, false,
                              [weak = weak_from_this()](Result<executor::LogChunk> chunk) {
                                if (auto self = weak.lock()) self->on_chunk(std::move(chunk));
                              });
  }

  void on_chunk(Result<executor::LogChunk> chunk) {
    if (!chunk) return on_read_error(std::move(chunk.error()));
    if (chunk->bytes.empty()) {
      if (was_emptied(chunk->offset)) return step();
      if (chunk->end && source_->ended && !stale_) return finish();
      if (!options_.follow) return finish();
      return wait();
    }
    at_ = chunk->offset + chunk->bytes.size();
    next_pause_ = kShortestPause;
    std::string text = masker_.feed(chunk->bytes);
    if (text.empty()) return step();
    give(std::move(text));
  }

  // The log ends before the place where it was read to: its task has emptied it, and what follows begins anew.
  bool was_emptied(std::uint64_t end) {
    if (!options_.follow || end >= *at_) return false;
    at_ = source_->place.from;
    return *at_ < end;
  }

  void on_read_error(Error error) {
    // Of an attempt that has ended nothing more will come: then it is no use to wait for a worker that is away.
    const bool goes_on = options_.follow && !source_->ended;
    if (error.code == ErrorCode::unavailable && (goes_on || is_connecting())) return wait();
    give(std::unexpected(std::move(error)));
  }

  // Walks back from the end in pieces until enough lines are found; only the place is kept, not the text.
  void find_tail(std::uint64_t to) {
    if (*options_.tail == 0 && to != kOpen) {
      at_ = to;
      return step();
    }
    const Result<WorkerId> worker = find_worker();
    if (!worker) return give(std::unexpected(worker.error()));
    engine::LogPlace place = source_->place;
    place.to = to;
    ports_.executor->read_log(*worker, place, kChunk, true,
                              [weak = weak_from_this()](Result<executor::LogChunk> chunk) {
                                if (auto self = weak.lock()) self->on_tail(std::move(chunk));
                              });
  }

  void on_tail(Result<executor::LogChunk> chunk) {
    if (!chunk) return on_read_error(std::move(chunk.error()));
    std::string_view text = chunk->bytes;
    if (tail_lines_ == 0) {
      if (*options_.tail == 0) {
        at_ = chunk->offset + text.size();
        return step();
      }
      // The newline at the very end closes the last line, it does not begin one.
      if (text.ends_with('\n')) text.remove_suffix(1);
      tail_lines_ = *options_.tail;
    }
    while (true) {
      const std::size_t newline = text.rfind('\n');
      if (newline == std::string_view::npos) break;
      if (--tail_lines_ == 0) {
        at_ = chunk->offset + newline + 1;
        return step();
      }
      text = text.substr(0, newline);
    }
    if (chunk->bytes.empty() || chunk->offset <= source_->place.from) {
      at_ = source_->place.from;
      return step();
    }
    find_tail(chunk->offset);
  }

  // Until there is news of the run, or a while, growing as long as nothing comes.
  void wait() {
    if (stale_) return step();
    const bool running = source_ && source_->place.segment != 0;
    pause_ = ports_.after(next_pause_, [weak = weak_from_this(), running] {
      auto self = weak.lock();
      if (!self) return;
      // News wakes those that wait for a start; looking again now and then costs nothing much.
      if (!running) self->stale_ = true;
      self->step();
    });
    next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  }

  void on_news() {
    if (source_ && source_->ended) return;
    stale_ = true;
    if (pause_ && !asking_) step();
  }

  Result<WorkerId> find_worker() const {
    for (const executor::WorkerStatus& worker : ports_.executor->workers()) {
      if (worker.name == source_->worker) return worker.id;
    }
    return fail(ErrorCode::not_found, "the log is on worker {}, which is not configured any more", source_->worker);
  }

  // Right after a start of the daemon, or while a link is mended: it is online or offline soon.
  [[nodiscard]] bool is_connecting() const {
    const std::vector<executor::WorkerStatus> workers = ports_.executor->workers();
    return std::ranges::any_of(workers, [this](const executor::WorkerStatus& worker) {
      return worker.name == source_->worker && worker.state == executor::WorkerState::connecting;
    });
  }

  void finish() {
    finished_ = true;
    watch_.reset();
    give(masker_.finish());
  }

  void give(Result<std::string> piece) {
    if (!piece) finished_ = true;
    Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(piece));
  }

  LogStreamPorts ports_;
  LogStreamOptions options_;
  Masker masker_;
  Done done_;
  std::optional<store::LogSource> source_;
  std::optional<std::uint64_t> at_;  // the next byte to read, in the segment
  std::uint64_t tail_lines_ = 0;     // still to be found
  bool stale_ = true;                // the store may know more than source_
  bool asking_ = false;
  bool finished_ = false;
  Duration next_pause_ = kShortestPause;
  EventFeed::Watch watch_;
  std::shared_ptr<void> pause_;
};

}  // namespace

std::shared_ptr<api::ByteSource> open_log_stream(LogStreamPorts ports, LogStreamOptions options, Masker masker) {
  return std::make_shared<LogStream>(std::move(ports), std::move(options), std::move(masker));
}

}  // namespace baton::service
