#include <baton/base/mutation.hpp>
#include <baton/base/text.hpp>
#include <baton/worker/folder.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>

namespace baton::worker {
namespace {

constexpr const char* kDaemonFile = "daemon";

Result<void> write_all(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, name);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<Folder> open_folder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (error) return fail(ErrorCode::io, "{}: {}", path, error.message());
  if (absolute.has_parent_path()) std::filesystem::create_directories(absolute.parent_path(), error);
  if (::mkdir(absolute.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, absolute.native());
  Folder folder{Descriptor(::open(absolute.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), absolute.native()};
  if (!folder.fd) return fail_errno(errno, folder.path);
  struct stat info{};
  if (::fstat(folder.fd.get(), &info) != 0) return fail_errno(errno, folder.path);
  if (info.st_uid != ::geteuid()) return fail(ErrorCode::denied, "{}: belongs to user {}", folder.path, info.st_uid);
  if ((info.st_mode & 0077) != 0) {
    return fail(ErrorCode::denied, "{}: must be accessible to its owner only (mode 0700)", folder.path);
  }
  for (const char* part : {"logs", "slots", "trash", "details"}) {
    if (::mkdirat(folder.fd.get(), part, 0700) != 0 && errno != EEXIST) return fail_errno(errno, folder.path);
  }
  return folder;
}

Result<std::string> read_boot_id() {
  auto text = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256);
  if (text && !text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

Result<std::string> read_file_at(int folder, const char* name, std::size_t max_bytes) {
  // Neither a symbolic link nor a pipe that somebody put in the file's place is followed or waited for.
  const Descriptor fd(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(errno, name);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, name);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid_argument, "{}: not a regular file", name);
  std::string bytes;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, name);
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(got));
    if (bytes.size() > max_bytes) return fail(ErrorCode::limit, "{}: over {} bytes", name, max_bytes);
  }
}

Result<void> create_file_at(int folder, const std::string& name, std::string_view bytes) {
  const Descriptor fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, name);
  return write_all(fd.get(), bytes, name);
}

Result<void> replace_file_at(int folder, const std::string& name, std::string_view bytes, bool durable) {
  const std::string fresh = name + ".new";
  ::unlinkat(folder, fresh.c_str(), 0);
  const Descriptor fd(::openat(folder, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, fresh);
  if (auto written = write_all(fd.get(), bytes, fresh); !written) return written;
  if (durable && ::fsync(fd.get()) != 0) return fail_errno(errno, fresh);
  if (::renameat(folder, fresh.c_str(), folder, name.c_str()) != 0) return fail_errno(errno, name);
  if (durable && ::fsync(folder) != 0) return fail_errno(errno, name);
  return {};
}

Result<void> admit_daemon(int folder, const std::string& daemon_id, std::uint64_t incarnation) {
  if (!is_id(daemon_id)) return fail(ErrorCode::invalid_argument, "the daemon's id is not one");
  auto text = read_file_at(folder, kDaemonFile, 1024);
  if (!text && text.error().code != ErrorCode::not_found) return std::unexpected(text.error());
  if (text) {
    const std::size_t space = text->find(' ');
    std::uint64_t highest = 0;
    const char* end = text->data() + text->size();
    if (space == std::string::npos || std::from_chars(text->data() + space + 1, end, highest).ec != std::errc()) {
      return fail(ErrorCode::corrupt, "the file `daemon` of the worker folder makes no sense");
    }
    const std::string owner = text->substr(0, space);
    if (owner != daemon_id) return fail(ErrorCode::denied, "this worker folder belongs to daemon {}", owner);
    if (incarnation < highest && !mutated(Mutation::skip_incarnation)) {
      return fail(ErrorCode::denied, "incarnation {} is stale: {} was here before", incarnation, highest);
    }
    if (incarnation == highest) return {};
  }
  return replace_file_at(folder, kDaemonFile, fmt::format("{} {}\n", daemon_id, incarnation), true);
}

}  // namespace baton::worker
