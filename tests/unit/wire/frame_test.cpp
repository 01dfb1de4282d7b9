#include "catch.hpp"

#include <baton/base/limits.hpp>
#include <baton/wire/frame.hpp>

#include <random>

namespace baton::wire {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

TimePoint at(std::int64_t us) { return TimePoint(Duration(us)); }

Outcome full_outcome() {
  return {.cause = ExitCause::missing_output,
          .detail = -7,
          .message = std::string("zero \0 byte, ünï", 17),
          .outputs = {{"accuracy", "0.9"}, {"model", ""}},
          .log = {3, 10, 20},
          .started_at = at(1'700'000'000'000'001),
          .ended_at = at(kMost),
          .user_us = 1,
          .system_us = ~std::uint64_t{0},
          .max_rss_bytes = 1u << 30};
}

std::vector<ToWorker> to_worker() {
  return {Hello{},
          Hello{.protocol = ~0u,
                .daemon_id = "d-1",
                .incarnation = ~std::uint64_t{0},
                .capacity = {.cpu_milli = kMost,
                             .memory_bytes = kLeast,
                             .gpu_milli = -1,
                             .custom_milli = {{"a", 1}, {"b", 2}}}},
          Launch{},
          Launch{.attempt = AttemptId(300),
                 .label = "r/t/1",
                 .argv = {"sh", "-e", ""},
                 .script = std::string(1000, 'x'),
                 .env = {{"B", "2"}, {"A", "1"}, {"B", "3"}},
                 .working_dir = "/tmp",
                 .outputs = {"x", "y"},
                 .timeout = Duration(5),
                 .grace = Duration(kMost),
                 .needs = {.cpu_milli = 500, .memory_bytes = 1, .gpu_milli = 250, .custom_milli = {}}},
          Kill{.attempt = AttemptId(1), .cause = ExitCause::preempted},
          Forget{},
          Forget{.attempts = {AttemptId(1), AttemptId(127), AttemptId(128), AttemptId(~std::uint64_t{0})}},
          ReadLog{.request = 9, .extent = {1, 2, LogExtent::kOpen}, .max_bytes = 4096, .from_end = true},
          Ping{}};
}

std::vector<ToDaemon> to_daemon() {
  return {
      Welcome{},
      Welcome{.protocol = 1,
              .version = "0.1.0",
              .host = "h",
              .boot_id = "b",
              .capacity = {.cpu_milli = 2000, .memory_bytes = 1, .gpu_milli = 0, .custom_milli = {}},
              .gpus = {"A100", "A100"},
              .containment = "session",
              .inventory = {{.attempt = AttemptId(4),
                             .phase = AttemptPhase::running,
                             .started_at = at(5),
                             .log = {1, 0, LogExtent::kOpen},
                             .outcome = {}},
                            {.attempt = AttemptId(5),
                             .phase = AttemptPhase::exited,
                             .started_at = {},
                             .log = {},
                             .outcome = full_outcome()}}},
      Refused{.reason = "no"},
      Started{.attempt = AttemptId(6), .at = at(-1), .pid = 4'000'000, .log = {2, 0, LogExtent::kOpen}},
      Exited{.attempt = AttemptId(7), .outcome = full_outcome()},
      LogData{.request = 1, .offset = ~std::uint64_t{0}, .bytes = std::string(3, '\0'), .end = true, .error = "gone"},
      Pong{}};
}

template <class Message>
std::string encode(const std::vector<Message>& messages) {
  std::string bytes;
  for (const Message& message : messages) REQUIRE(append_frame(bytes, message));
  return bytes;
}

template <class Message>
std::vector<Message> drain(FrameReader<Message>& reader) {
  std::vector<Message> messages;
  for (;;) {
    auto message = reader.next();
    REQUIRE(message.has_value());
    if (!*message) return messages;
    messages.push_back(std::move(**message));
  }
}

// Feeds bytes until the reader wants more or gives up; the number of messages it found.
template <class Message>
std::size_t survive(std::string_view bytes) {
  FrameReader<Message> reader;
  reader.feed(bytes);
  std::size_t found = 0;
  for (;;) {
    auto message = reader.next();
    if (!message) {
      CHECK_FALSE(reader.next().has_value());  // stays broken
      reader.feed("\1\0\0\0\4");
      CHECK_FALSE(reader.next().has_value());
      return found;
    }
    if (!*message) return found;
    ++found;
  }
}

template <class Message>
void check_every_cut(const std::vector<Message>& messages) {
  const std::string bytes = encode(messages);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameReader<Message> reader;
    reader.feed(std::string_view(bytes).substr(0, cut));
    std::vector<Message> found = drain(reader);
    reader.feed(std::string_view(bytes).substr(cut));
    for (Message& message : drain(reader)) found.push_back(std::move(message));
    REQUIRE(found == messages);
  }
  FrameReader<Message> reader;
  std::vector<Message> found;
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    for (Message& message : drain(reader)) found.push_back(std::move(message));
  }
  REQUIRE(found == messages);
}

template <class Message>
void check_mutations(const std::vector<Message>& messages, std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  for (const Message& message : messages) {
    const std::string bytes = encode<Message>({message});
    for (int round = 0; round < 2'000; ++round) {
      std::string mutant = bytes;
      for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
        // Behind the length, so that the payload's decoder is what gets tried.
        const std::size_t where = 4 + below(mutant.size() - 4);
        mutant[where] = static_cast<char>(below(4) == 0 ? 0xff : below(256));
      }
      survive<Message>(mutant);
    }
  }
}

std::string framed(std::string_view payload) {
  std::string bytes(4, '\0');
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(payload.size() >> (8 * i));
  return bytes + std::string(payload);
}

}  // namespace

TEST_CASE("every message comes back as it went, wherever the stream is cut") {
  check_every_cut(to_worker());
  check_every_cut(to_daemon());
}

TEST_CASE("the two directions do not understand each other") {
  for (const ToWorker& message : to_worker()) CHECK(survive<ToDaemon>(encode<ToWorker>({message})) == 0);
  for (const ToDaemon& message : to_daemon()) CHECK(survive<ToWorker>(encode<ToDaemon>({message})) == 0);
}

TEST_CASE("a truncated or extended payload is refused") {
  for (const ToDaemon& message : to_daemon()) {
    const std::string bytes = encode<ToDaemon>({message});
    const std::string payload = bytes.substr(4);
    for (std::size_t size = 1; size < payload.size(); ++size) {
      CHECK(survive<ToDaemon>(framed(std::string_view(payload).substr(0, size))) == 0);
    }
    CHECK(survive<ToDaemon>(framed(payload + '\0')) == 0);
  }
}

TEST_CASE("mutated and random frames never do harm") {
  check_mutations(to_worker(), 1);
  check_mutations(to_daemon(), 2);
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string payload(1 + random() % 64, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    payload[0] = static_cast<char>(random() % 80);
    survive<ToWorker>(framed(payload));
    survive<ToDaemon>(framed(payload));
    survive<ToWorker>(payload);
  }
}

TEST_CASE("a hostile count is not believed") {
  // Forget with 2^63 attempts, Launch with an argv of 2^32 strings, in a few bytes.
  CHECK(survive<ToWorker>(framed(std::string("\x04\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10))) == 0);
  CHECK(survive<ToWorker>(framed(std::string("\x02\x01\x00\xff\xff\xff\xff\x0f", 8))) == 0);
}

TEST_CASE("a frame does not make much more of memory than it has bytes") {
  Welcome gpus;  // an empty name takes one byte
  gpus.gpus.resize(4u << 20);
  std::string bytes;
  REQUIRE(append_frame(bytes, ToDaemon(gpus)));
  CHECK(survive<ToDaemon>(bytes) == 0);
  Welcome inventory;
  inventory.inventory.resize(200'000);
  bytes.clear();
  REQUIRE(append_frame(bytes, ToDaemon(inventory)));
  CHECK(survive<ToDaemon>(bytes) == 1);
  Launch launch;
  launch.argv.resize(100'000);
  bytes.clear();
  REQUIRE(append_frame(bytes, ToWorker(launch)));
  CHECK(survive<ToWorker>(bytes) == 1);
}

TEST_CASE("a number too big for its field is refused") {
  std::string bytes;
  REQUIRE(append_frame(bytes, ToWorker(Hello{.protocol = 1, .daemon_id = "", .incarnation = 0, .capacity = {}})));
  // protocol is the first varint of the payload; 2^32 does not fit it.
  const std::string wide = bytes.substr(4, 1) + "\x80\x80\x80\x80\x10" + bytes.substr(6);
  CHECK(survive<ToWorker>(framed(wide)) == 0);
  // Eleven continuation bytes are no varint at all.
  CHECK(survive<ToWorker>(framed(bytes.substr(4, 1) + std::string(11, '\xff') + bytes.substr(6))) == 0);
}

TEST_CASE("a length over the limit breaks the link at once") {
  FrameReader<ToWorker> reader;
  const std::uint32_t size = limits::kFrameBytes + 1;
  std::string header(4, '\0');
  for (int i = 0; i < 4; ++i) header[static_cast<std::size_t>(i)] = static_cast<char>(size >> (8 * i));
  reader.feed(header);
  const auto result = reader.next();
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == ErrorCode::corrupt);
  CHECK(survive<ToWorker>(std::string(4, '\0')) == 0);
}

TEST_CASE("a message over the limit is not appended") {
  std::string bytes = "before";
  Launch launch;
  launch.script.assign(limits::kFrameBytes, 'x');
  CHECK_FALSE(append_frame(bytes, ToWorker(launch)));
  CHECK(bytes == "before");
}

}  // namespace baton::wire
