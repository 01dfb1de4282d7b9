#include <baton/base/limits.hpp>
#include <baton/worker/log_reader.hpp>
#include <baton/worker/slots.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace baton::worker {
namespace {

struct Hole {
  std::uint64_t from, to;
};

// The place in between that was given back to the file system (log_cap.hpp). At most one, as an attempt has one.
std::optional<Hole> find_hole(int fd, std::uint64_t from, std::uint64_t to) {
  const off_t hole = ::lseek(fd, static_cast<off_t>(from), SEEK_HOLE);
  if (hole < 0 || static_cast<std::uint64_t>(hole) >= to) return std::nullopt;
  const off_t data = ::lseek(fd, hole, SEEK_DATA);
  const std::uint64_t end = data < 0 ? to : std::min(to, static_cast<std::uint64_t>(data));
  return Hole{static_cast<std::uint64_t>(hole), end};
}

}  // namespace

wire::LogData read_log(int folder, const wire::ReadLog& request) {
  wire::LogData data;
  data.request = request.request;
  data.offset = request.extent.from;
  const auto give_up = [&](std::string reason) {
    data.end = true;
    data.error = std::move(reason);
    return data;
  };
  const auto nothing = [&] {
    data.end = true;
    return data;
  };
  if (request.extent.segment == 0 || request.extent.from >= request.extent.to) return nothing();
  const std::string name = segment_name(request.extent.segment);
  const Descriptor fd(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  // The attempt has ended meanwhile and had written nothing: its segment went to another one, under another number.
  if (!fd && errno == ENOENT && request.extent.to == wire::LogExtent::kOpen) return nothing();
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return give_up(fail_errno(errno, name).error().message);

  std::uint64_t to = std::min(request.extent.to, static_cast<std::uint64_t>(info.st_size));
  std::uint64_t from = std::min(request.extent.from, to);
  const std::uint64_t asked_to = to;
  const std::uint64_t limit = std::min<std::uint64_t>(request.max_bytes, limits::kLogChunkBytes);
  std::string note;
  if (const auto hole = find_hole(fd.get(), from, to)) {
    const bool before = request.from_end ? to <= hole->to : from < hole->from;
    if (before) {
      to = hole->from;  // who reads on comes to the hole with the next request
    } else {
      // The note takes the hole's last places, so that places go on with what follows.
      const std::uint64_t size = hole->to - hole->from;
      note = fmt::format("\n[baton: {} bytes were left out here]\n", size);
      if (note.size() >= size) note = "[baton: output was left out here]\n";  // somebody read on within the note
      if (note.size() > size) note.clear();
      from = hole->to;
    }
  }
  const std::uint64_t wanted = std::min(to - from, limit > note.size() ? limit - note.size() : limit);
  const std::uint64_t first = request.from_end ? to - wanted : from;
  if (first != from) note.clear();
  data.offset = first - note.size();
  data.bytes.resize(wanted);
  std::size_t had = 0;
  while (had < wanted) {
    const ssize_t got = ::pread(fd.get(), data.bytes.data() + had, wanted - had, static_cast<off_t>(first + had));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return give_up(fail_errno(errno, name).error().message);
    if (got == 0) break;
    had += static_cast<std::size_t>(got);
  }
  data.bytes.resize(had);
  data.end = first + had >= asked_to;
  data.bytes.insert(0, note);
  return data;
}

}  // namespace baton::worker
