// Keeps one worker connected: dials, greets, dials again with growing pauses, and tells the engine when the worker is
// up and when it has been out of touch for too long.
#pragma once
#include "worker/link_ports.hpp"
#include "worker/silence.hpp"

#include <baton/executor/worker_executor.hpp>

#include <map>
#include <memory>
#include <string>

namespace baton::executor {

// Log reads a worker has not answered yet.
inline constexpr std::size_t kOpenReads = 1'024;

class Link : public std::enable_shared_from_this<Link> {
 public:
  // `ports` must outlive the link.
  Link(LinkPorts& ports, const WorkerExecutorOptions& options, LinkOptions link, EventSink sink);

  void start();
  void stop();  // says nothing more
  // Dropped unless online. A launch that is too large for the protocol ends its attempt, as one that the worker
  // refuses. A launch is also dropped while a WorkerUp waits for its commit: it was decided for the session before, and
  // what the engine still wants of it is told again behind that commit.
  void send(const wire::ToWorker& message);
  void read_log(engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                std::function<void(Result<LogChunk>)> done);
  void remember_boot();
  void pause(bool paused);
  [[nodiscard]] const WorkerStatus& status() const { return status_; }

 private:
  void dial();
  void on_messages(std::vector<wire::ToDaemon> messages);
  void on_welcome(wire::Welcome welcome, std::vector<engine::Event>& events);
  void on_log_data(wire::LogData data);
  void on_closed(Error error);
  void drop_connection();
  void retry_later();
  void report_down();
  void refuse(AttemptId attempt, std::string message);
  void arm_handshake_timer();
  void on_silence(Duration silence);

  LinkPorts& ports_;
  const WorkerExecutorOptions options_;  // without its links
  const LinkOptions link_;
  EventSink sink_;
  WorkerStatus status_;
  std::shared_ptr<Stream> connection_;
  bool greeted_ = false;             // Welcome came over this connection
  std::uint32_t unsettled_ups_ = 0;  // WorkerUps told whose remember_boot() has not come
  bool down_reported_ = false;
  bool ever_dialled_ = false;
  bool stopped_ = false;
  bool paused_ = false;
  Duration pause_before_retry_;
  std::unique_ptr<Timer> retry_timer_, handshake_timer_, down_timer_, steady_timer_;
  Silence silence_;
  std::string boot_id_;  // of the worker's host, as the present session said
  std::uint64_t next_read_ = 1;
  std::map<std::uint64_t, std::function<void(Result<LogChunk>)>> reads_;
};

}  // namespace baton::executor
