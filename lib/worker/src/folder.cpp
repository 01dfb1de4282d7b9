#include <baton/base/file.hpp>
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
