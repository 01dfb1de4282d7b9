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

std::string current_path(const Folder& folder) {
  struct stat held{}, named{};
  if (::fstat(folder.fd.get(), &held) != 0 || held.st_nlink == 0) return {};
  const auto leads_here = [&](const std::string& path) {
    return ::stat(path.c_str(), &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino;
  };
  if (leads_here(folder.path)) return folder.path;
  std::error_code error;
  std::string now = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", folder.fd.get()), error).native();
  return !error && leads_here(now) ? now : std::string();
}

Result<std::string> read_boot_id() {
  auto text = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256);
  if (text && !text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

Result<Owner> read_owner(int folder) {
  constexpr std::size_t kMaxBytes = 1024;
  const auto text = read_file_at(folder, kDaemonFile, kMaxBytes);
  if (!text) return std::unexpected(text.error());
  const std::size_t space = text->find(' ');
  Owner owner;
  const char* end = text->data() + text->size();
  if (space == std::string::npos ||
      std::from_chars(text->data() + space + 1, end, owner.incarnation).ec != std::errc()) {
    return fail(ErrorCode::corrupt, "the file `daemon` of the worker folder makes no sense");
  }
  owner.daemon_id = text->substr(0, space);
  return owner;
}

Result<void> admit_daemon(int folder, const std::string& daemon_id, std::uint64_t incarnation) {
  if (!is_id(daemon_id)) return fail(ErrorCode::invalid_argument, "the daemon's id is not one");
  const auto owner = read_owner(folder);
  if (!owner && owner.error().code != ErrorCode::not_found) return std::unexpected(owner.error());
  if (owner) {
    const std::uint64_t highest = owner->incarnation;
    if (owner->daemon_id != daemon_id) {
      return fail(ErrorCode::denied,
                  "this worker is of the state {}, not of {}; with the daemon stopped, `baton daemon adopt` makes the "
                  "database its own",
                  owner->daemon_id, daemon_id);
    }
    if (incarnation < highest && !mutated(Mutation::skip_incarnation)) {
      return fail(ErrorCode::denied, "incarnation {} is stale: {} was here before", incarnation, highest);
    }
    if (incarnation == highest) return {};
  }
  return replace_file_at(folder, kDaemonFile, fmt::format("{} {}\n", daemon_id, incarnation), true);
}

}  // namespace baton::worker
