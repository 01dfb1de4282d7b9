#include <baton/base/limits.hpp>
#include <baton/worker/conversation.hpp>

#include <fcntl.h>

#include <cstdlib>

#include "temp_folder.hpp"

namespace baton::worker {

TEST_CASE("many questions in one piece are answered as their answers are read, and all of them") {
  ::setenv("BATON_CONTAINMENT", "session", 1);
  TempFolder temp;
  spill(temp.path("logs/00000001.seg"), std::string(limits::kLogChunkBytes, 'x'));
  const Descriptor null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Conversation talk(system_host(), temp.folder(), std::move(*Journal::open(temp.fd())), null_fd.get(), "boot");
  REQUIRE(talk.runner().recover());
  wire::Hello hello;
  hello.daemon_id = "daemon-1";
  std::string bytes;
  REQUIRE(wire::append_frame(bytes, wire::ToWorker(hello)));
  constexpr std::size_t kQuestions = 200;
  for (std::size_t request = 0; request < kQuestions; ++request) {
    wire::ReadLog question;
    question.request = request;
    question.extent = {1, 0, wire::LogExtent::kOpen};
    question.max_bytes = limits::kLogChunkBytes;
    REQUIRE(wire::append_frame(bytes, wire::ToWorker(question)));
  }
  talk.feed(bytes);
  // However much leaves at once: also all of it, which was more than may wait.
  const std::size_t piece_bytes = GENERATE(std::size_t{1} << 20, std::size_t{1} << 30);
  wire::FrameReader<wire::ToDaemon> reader;
  std::size_t answers = 0;
  while (!talk.outgoing().empty()) {
    REQUIRE(talk.outgoing().size() < Conversation::kBacklogBytes + 2 * limits::kLogChunkBytes);
    const std::string piece(talk.outgoing().substr(0, piece_bytes));
    talk.sent(piece.size());
    reader.feed(piece);
    for (auto message = reader.next(); message && *message; message = reader.next()) {
      if (const auto* data = std::get_if<wire::LogData>(&**message)) CHECK(data->request == answers++);
    }
  }
  CHECK(answers == kQuestions);
  CHECK_FALSE(talk.end());
}

TEST_CASE("a session says that it is there when it is asked") {
  ::setenv("BATON_CONTAINMENT", "session", 1);
  TempFolder temp;
  const Descriptor null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Conversation talk(system_host(), temp.folder(), std::move(*Journal::open(temp.fd())), null_fd.get(), "boot");
  REQUIRE(talk.runner().recover());
  wire::Hello hello;
  hello.daemon_id = "daemon-1";
  std::string bytes;
  REQUIRE(wire::append_frame(bytes, wire::ToWorker(hello)));
  REQUIRE(wire::append_frame(bytes, wire::ToWorker(wire::Ping{})));
  talk.feed(bytes);
  wire::FrameReader<wire::ToDaemon> reader;
  reader.feed(talk.outgoing());
  auto first = reader.next();
  REQUIRE((first && *first && std::holds_alternative<wire::Welcome>(**first)));
  auto second = reader.next();
  CHECK((second && *second && std::holds_alternative<wire::Pong>(**second)));
  CHECK_FALSE(talk.end());
}

}  // namespace baton::worker
