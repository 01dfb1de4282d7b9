#include "fields.hpp"
// After the field lists, which its operators find.
#include "archive.hpp"

#include <baton/base/limits.hpp>
#include <baton/wire/frame.hpp>

namespace baton::wire {
namespace {

constexpr std::size_t kHeaderBytes = 4;
// Types of the two directions do not overlap, so that a link plugged in the wrong way round is noticed at once.
template <class Message>
constexpr std::uint8_t kFirstType = std::is_same_v<Message, ToWorker> ? 1 : 65;

void put_u32(char* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (8 * i));
}

std::uint32_t get_u32(std::string_view at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(at[static_cast<std::size_t>(i)])) << (8 * i);
  return value;
}

template <class Message>
bool append(std::string& out, const Message& message) {
  const std::size_t start = out.size();
  out.append(kHeaderBytes, '\0');
  out.push_back(static_cast<char>(kFirstType<Message> + message.index()));
  Encoder encoder(out);
  std::visit([&](const auto& alternative) { encoder(alternative); }, message);
  const std::size_t size = out.size() - start - kHeaderBytes;
  if (size > limits::kFrameBytes) {
    out.resize(start);
    return false;
  }
  put_u32(out.data() + start, static_cast<std::uint32_t>(size));
  return true;
}

// Makes the alternative with the given index and decodes it; false if there is none or the payload is malformed.
template <class Message, std::size_t I = 0>
bool decode(Message& message, std::size_t index, std::string_view payload) {
  if constexpr (I < std::variant_size_v<Message>) {
    if (index != I) return decode<Message, I + 1>(message, index, payload);
    Decoder decoder(payload);
    decoder(message.template emplace<I>());
    return decoder.finished();
  } else {
    return false;
  }
}

}  // namespace

bool append_frame(std::string& out, const ToWorker& message) { return append(out, message); }
bool append_frame(std::string& out, const ToDaemon& message) { return append(out, message); }

template <class Message>
void FrameReader<Message>::feed(std::string_view bytes) {
  if (broken_) return;
  if (at_ > 0 && (at_ == buffer_.size() || at_ > buffer_.size() / 2)) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_ += bytes;
}

template <class Message>
Result<std::optional<Message>> FrameReader<Message>::next() {
  if (broken_) return fail(ErrorCode::corrupt, "the link is out of step");
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kHeaderBytes) return std::nullopt;
  const std::size_t size = get_u32(rest);
  const auto give_up = [this](std::string reason) {
    broken_ = true;
    buffer_.clear();
    buffer_.shrink_to_fit();
    at_ = 0;
    return fail(ErrorCode::corrupt, "{}", reason);
  };
  if (size > limits::kFrameBytes) return give_up(fmt::format("a frame of {} bytes is over the limit", size));
  if (size == 0) return give_up("an empty frame");
  if (rest.size() - kHeaderBytes < size) return std::nullopt;
  const std::string_view frame = rest.substr(kHeaderBytes, size);
  const auto type = static_cast<std::uint8_t>(frame.front());
  const std::size_t index = type >= kFirstType<Message> ? std::size_t{type} - kFirstType<Message> : ~std::size_t{0};
  Message message;
  if (!decode(message, index, frame.substr(1))) {
    return give_up(fmt::format("a malformed message of type {} and {} bytes", type, size));
  }
  at_ += kHeaderBytes + size;
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  }
  return message;
}

template class FrameReader<ToWorker>;
template class FrameReader<ToDaemon>;

}  // namespace baton::wire
