// Frames: u32 length (little endian, of what follows) | u8 message type | payload. Payloads are varints (LEB128, zigzag
// where signed), length-prefixed bytes and counted sequences, in the order of the struct's members. Unknown types and
// trailing bytes are errors: both ends are installed together, and Hello/Welcome compare kProtocolVersion first.
#pragma once
#include <baton/base/result.hpp>
#include <baton/wire/messages.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace baton::wire {

// Appends one frame to `out`, so that many messages leave in one write. False, and nothing is appended, if the message
// is over limits::kFrameBytes; only a Launch with a huge script or a Welcome with a huge inventory can be.
[[nodiscard]] bool append_frame(std::string& out, const ToWorker& message);
[[nodiscard]] bool append_frame(std::string& out, const ToDaemon& message);

// Takes bytes as they arrive, cut anywhere, and gives back whole messages. After an error it gives nothing more: the
// stream is out of step and the link must be closed.
template <class Message>
class FrameReader {
 public:
  void feed(std::string_view bytes);
  // The next message; nullopt if more bytes are needed. Errors: a frame over limits::kFrameBytes, an unknown type, a
  // malformed payload.
  Result<std::optional<Message>> next();

 private:
  std::string buffer_;
  std::size_t at_ = 0;
  bool broken_ = false;
};

extern template class FrameReader<ToWorker>;
extern template class FrameReader<ToDaemon>;

}  // namespace baton::wire
