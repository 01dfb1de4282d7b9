// The frames between daemon and worker session, both directions. The first byte says in what pieces they arrive.
#include <baton/base/limits.hpp>
#include <baton/wire/frame.hpp>

#include <algorithm>
#include <vector>

#include "../target.hpp"

namespace baton::fuzz {
namespace {

template <class Message>
std::vector<Message> read_all(std::string_view bytes, std::size_t piece) {
  wire::FrameReader<Message> reader;
  std::vector<Message> messages;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    for (;;) {
      auto message = reader.next();
      if (!message) {
        reader.feed(bytes);
        holds(!reader.next().has_value(), "a broken link stays broken");
        return messages;
      }
      if (!*message) break;
      messages.push_back(std::move(**message));
    }
  }
  return messages;
}

template <class Message>
std::string encode(const std::vector<Message>& messages) {
  std::string bytes;
  for (const Message& message : messages) holds(wire::append_frame(bytes, message), "what came in a frame fits one");
  return bytes;
}

template <class Message>
void check_frames(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  const std::vector<Message> messages = read_all<Message>(input, piece);
  holds(messages == read_all<Message>(input, std::max<std::size_t>(input.size(), 1)), "the pieces make no difference");
  const std::string bytes = encode(messages);
  holds(bytes.size() <= input.size(), "our own encoding is the shortest");
  holds(read_all<Message>(bytes, 7) == messages, "messages survive the way back");
}

}  // namespace

void frames_to_worker(std::string_view input) { check_frames<wire::ToWorker>(input); }
void frames_to_daemon(std::string_view input) { check_frames<wire::ToDaemon>(input); }

}  // namespace baton::fuzz
