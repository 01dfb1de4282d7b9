#include <baton/base/daemon_lock.hpp>
#include <baton/base/file.hpp>
#include <baton/service/state_dir.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <optional>
#include <sstream>
#include <utility>

namespace baton::service {
namespace {

// Beyond any start that was ever counted to; a file that says more is damaged, which is its worker's trouble alone.
constexpr std::uint64_t kPlausibleStart = std::uint64_t{1} << 53;

// Not in linux/magic.h; from the kernel's fs/ sources.
constexpr std::int64_t kCifsMagic = 0xFF534D42;
constexpr std::int64_t kSmb2Magic = 0xFE534D42;
constexpr std::int64_t kFuseMagic = 0x65735546;
constexpr std::int64_t kLustreMagic = 0x0BD00BD0;
constexpr std::int64_t kGpfsMagic = 0x47504653;
constexpr std::int64_t kBeegfsMagic = 0x19830326;
constexpr std::int64_t kVirtiofsMagic = 0x6a656a63;

Result<> make_folder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(parent, error);
  if (error) return fail_errno(error.value(), parent.string());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
  return {};
}

Result<> check_owner(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::invalid_argument, "{} is not a directory", path);
  if (info.st_uid != ::geteuid()) {
    return fail(ErrorCode::denied, "{} belongs to uid {}, not to uid {}", path, info.st_uid, ::geteuid());
  }
  // Others must not reach the socket or the logs, whoever made the folder.
  if ((info.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0) return fail_errno(errno, path);
  return {};
}

// Neither alive nor hidden; a zombie has no program any more.
bool has_ended(pid_t pid) {
  char program[1];
  return ::readlink(fmt::format("/proc/{}/exe", pid).c_str(), program, sizeof program) < 0 && errno == ENOENT;
}

// A daemon that was killed while it started a program leaves the lock to the child until that has become the program, a
// moment later. So the lock of a dead one is waited for; and, not as long, that of a living one, which may be taken by
// somebody who is just looking (find_lock_holder). Errors are in errno.
bool lock(int fd) {
  constexpr int kTries = 100;
  constexpr int kTriesWhileAlive = 5;
  constexpr timespec kBetween{0, 10'000'000};
  for (int i = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++i) {
    const int error = errno;
    const int tries = has_ended(read_lock_note(fd).pid) ? kTries : kTriesWhileAlive;
    if (error != EWOULDBLOCK || i >= tries) {
      errno = error;
      return false;
    }
    ::nanosleep(&kBetween, nullptr);
  }
  return true;
}

// A courtesy to who finds the lock taken. Written over what is there, and given up on a full disk.
Result<> write_note(int fd, const std::string& path, const LockNote& note) {
  const std::string text = lock_note_text(note);
  const bool written = ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                       ::ftruncate(fd, static_cast<off_t>(text.size())) == 0;
  if (!written && errno != ENOSPC && errno != EDQUOT) return fail_errno(errno, path);
  return {};
}

Result<int> take_lock(const std::string& dir) {
  const std::string path = daemon_lock_path(dir);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail_errno(errno, path);
  if (!lock(fd)) {
    const int error = errno;
    const pid_t holder = read_lock_note(fd).pid;
    ::close(fd);
    if (error != EWOULDBLOCK) return fail_errno(error, path);
    return fail(ErrorCode::conflict, "another batond (pid {}) uses {}", holder, dir);
  }
  if (Result<> noted = write_note(fd, path, {.pid = ::getpid()}); !noted) {
    ::close(fd);
    return std::unexpected(noted.error());
  }
  return fd;
}

// What a worker's file `daemon` ("ID START") tells of; nothing if it makes no sense or is not there.
std::optional<store::Seen> seen_in(const std::string& worker_daemon_file) {
  constexpr std::size_t kMaxBytes = 1024;
  const auto text = read_file_at(AT_FDCWD, worker_daemon_file.c_str(), kMaxBytes);
  if (!text) return std::nullopt;
  std::istringstream fields(*text);
  store::Seen seen;
  // The worker itself complains about one that makes no sense.
  if (!(fields >> seen.state_id >> seen.incarnation) || seen.incarnation >= kPlausibleStart) return std::nullopt;
  return seen;
}

}  // namespace

FileSystem classify_file_system(std::int64_t statfs_magic) {
  using enum FileSystemKind;
  switch (statfs_magic & 0xFFFFFFFF) {
    case NFS_SUPER_MAGIC:
      return {network, "nfs"};
    case SMB_SUPER_MAGIC:
    case kCifsMagic:
    case kSmb2Magic:
      return {network, "smb"};
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
      return {network, "afs"};
    case CODA_SUPER_MAGIC:
      return {network, "coda"};
    case CEPH_SUPER_MAGIC:
      return {network, "ceph"};
    case NCP_SUPER_MAGIC:
      return {network, "ncp"};
    case kLustreMagic:
      return {network, "lustre"};
    case kGpfsMagic:
      return {network, "gpfs"};
    case kBeegfsMagic:
      return {network, "beegfs"};
    // What is behind these cannot be told from here: often a folder of the virtual machine's host.
    case V9FS_MAGIC:
      return {doubtful, "9p"};
    case kVirtiofsMagic:
      return {doubtful, "virtiofs"};
    case kFuseMagic:
      return {doubtful, "fuse"};
    default:
      return {local, ""};
  }
}

Result<FileSystem> file_system_of(const std::string& path) {
  struct statfs info{};
  if (::statfs(path.c_str(), &info) != 0) return fail_errno(errno, path);
  return classify_file_system(static_cast<std::int64_t>(info.f_type));
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) return fail_errno(errno, path);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<StateDir> StateDir::claim(const std::string& path) {
  if (Result<> made = make_folder(path); !made) return std::unexpected(made.error());
  if (Result<> owned = check_owner(path); !owned) return std::unexpected(owned.error());
  const Result<FileSystem> system = file_system_of(path);
  if (!system) return std::unexpected(system.error());
  if (system->kind == FileSystemKind::network) {
    return fail(ErrorCode::invalid_argument,
                "{} is on a network file system ({}), where two hosts could write it at once; use a local disk", path,
                system->name);
  }
  const Result<int> lock = take_lock(path);
  if (!lock) return std::unexpected(lock.error());
  StateDir dir(path, *lock);
  if (system->kind == FileSystemKind::doubtful) {
    dir.warnings_.push_back(fmt::format("{} is on {}: make sure that no other host uses it", path, system->name));
  }
  return dir;
}

StateDir::StateDir(StateDir&& other) noexcept
    : path_(std::move(other.path_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      warnings_(std::move(other.warnings_)) {}

StateDir& StateDir::operator=(StateDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  std::swap(warnings_, other.warnings_);
  return *this;
}

StateDir::~StateDir() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<> StateDir::make_worker_dir(const std::string& worker) const {
  if (Result<> parent = make_folder(path_ + "/workers"); !parent) return parent;
  return make_folder(worker_dir(worker));
}

store::Seen seen_by_workers(const std::string& state_dir) {
  store::Seen highest;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(state_dir + "/workers", error)) {
    auto seen = seen_in((folder.path() / "daemon").native());
    if (seen && seen->incarnation > highest.incarnation) highest = std::move(*seen);
  }
  return highest;
}

void StateDir::note_socket(const std::string& socket) const {
  [[maybe_unused]] const Result<> noted =
      write_note(lock_fd_, daemon_lock_path(path_), {.pid = ::getpid(), .socket = socket});
}

bool StateDir::is_ours() const {
  struct stat held{};
  struct stat named{};
  return ::fstat(lock_fd_, &held) == 0 && ::stat(daemon_lock_path(path_).c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace baton::service
