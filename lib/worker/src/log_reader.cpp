#include <baton/base/limits.hpp>
#include <baton/worker/log_reader.hpp>
#include <baton/worker/slots.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace baton::worker {

wire::LogData read_log(int folder, const wire::ReadLog& request) {
  wire::LogData data;
  data.request = request.request;
  data.offset = request.extent.from;
  const auto give_up = [&](std::string reason) {
    data.end = true;
    data.error = std::move(reason);
    return data;
  };
  if (request.extent.segment == 0) {
    data.end = true;
    return data;
  }
  const std::string name = segment_name(request.extent.segment);
  const Descriptor fd(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return give_up(fail_errno(errno, name).error().message);

  const std::uint64_t to = std::min(request.extent.to, static_cast<std::uint64_t>(info.st_size));
  const std::uint64_t from = std::min(request.extent.from, to);
  const std::uint64_t limit = std::min<std::uint64_t>(request.max_bytes, limits::kLogChunkBytes);
  const std::uint64_t wanted = std::min(to - from, limit);
  data.offset = request.from_end ? to - wanted : from;
  data.bytes.resize(wanted);
  std::size_t had = 0;
  while (had < wanted) {
    const ssize_t got = ::pread(fd.get(), data.bytes.data() + had, wanted - had, static_cast<off_t>(data.offset + had));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return give_up(fail_errno(errno, name).error().message);
    if (got == 0) break;
    had += static_cast<std::size_t>(got);
  }
  data.bytes.resize(had);
  data.end = data.offset + had >= to;
  return data;
}

}  // namespace baton::worker
