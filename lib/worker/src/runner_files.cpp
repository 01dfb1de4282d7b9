#include "runner_files.hpp"

#include <baton/base/file.hpp>
#include <baton/base/limits.hpp>
#include <baton/wire/frame.hpp>

#include <dirent.h>
#include <fcntl.h>

#include <charconv>
#include <cstring>

namespace baton::worker {
namespace {

std::string details_name(AttemptId attempt) { return fmt::format("details/{}", attempt.value()); }

// A file is one frame of the protocol, so that there is one codec, and it is the one that is fuzzed.
template <class Part, class Message>
Result<Part> decode(Result<std::string> bytes, const std::string& name) {
  if (!bytes) return std::unexpected(bytes.error());
  wire::FrameReader<Message> reader;
  reader.feed(*bytes);
  auto message = reader.next();
  if (!message) return std::unexpected(message.error());
  if (!*message || !std::holds_alternative<Part>(**message)) return fail(ErrorCode::corrupt, "{}: cut short", name);
  return std::get<Part>(std::move(**message));
}

constexpr std::size_t kFileBytes = limits::kFrameBytes + 16;

}  // namespace

bool is_loss(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found:
    case ErrorCode::corrupt:
    case ErrorCode::limit:
    case ErrorCode::invalid_argument:  // something that is no file is in its place
      return true;
    default:
      return false;
  }
}

Result<void> write_details(int folder, AttemptId attempt, const wire::Outcome& outcome) {
  std::string bytes;
  if (!wire::append_frame(bytes, wire::ToDaemon(wire::Exited{attempt, outcome}))) {
    return fail(ErrorCode::limit, "{}: the outcome is too large", details_name(attempt));
  }
  return replace_file_at(folder, details_name(attempt), bytes, false);
}

Result<wire::Outcome> read_details(int folder, AttemptId attempt) {
  const std::string name = details_name(attempt);
  auto exited = decode<wire::Exited, wire::ToDaemon>(read_file_at(folder, name.c_str(), kFileBytes), name);
  if (!exited) return std::unexpected(exited.error());
  if (exited->attempt != attempt) return fail(ErrorCode::corrupt, "{}: another attempt's", name);
  return std::move(exited->outcome);
}

void remove_details(int folder, AttemptId attempt) { ::unlinkat(folder, details_name(attempt).c_str(), 0); }

std::vector<AttemptId> list_details(int folder) {
  std::vector<AttemptId> attempts;
  const int fd = ::openat(folder, "details", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return attempts;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    std::uint64_t id = 0;
    // A name with a suffix is a file that was being written; it is listed by its number too.
    const auto parsed = std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), id);
    if (parsed.ec == std::errc()) attempts.emplace_back(id);
  }
  return attempts;
}

Result<void> write_launch(int folder, const Slot& slot, const wire::Launch& launch) {
  wire::Launch kept;
  kept.attempt = launch.attempt;
  kept.label = launch.label;
  kept.outputs = launch.outputs;
  kept.needs = launch.needs;
  std::string bytes;
  if (!wire::append_frame(bytes, wire::ToWorker(kept))) return fail(ErrorCode::limit, "the launch is too large");
  return create_file_at(folder, slot.folder + "/launch", bytes);
}

Result<wire::Launch> read_launch(int folder, const Slot& slot) {
  const std::string name = slot.folder + "/launch";
  return decode<wire::Launch, wire::ToWorker>(read_file_at(folder, name.c_str(), kFileBytes), name);
}

}  // namespace baton::worker
