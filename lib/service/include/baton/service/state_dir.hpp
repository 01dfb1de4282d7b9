// The daemon's state directory: made, checked and held by one daemon at a time.
#pragma once
#include <baton/base/result.hpp>
#include <baton/store/store.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace baton::service {

// Below this the daemon takes no new runs, so that it can go on recording how the present ones end.
inline constexpr std::uint64_t kReservedBytes = 16u << 20;

// What kind of file system a path is on, as far as it matters for SQLite's locks and for hosts that share it.
enum class FileSystemKind : std::uint8_t { local, doubtful, network };
struct FileSystem {
  FileSystemKind kind = FileSystemKind::local;
  std::string name;  // "nfs", "9p"; empty for those that are fine
};
FileSystem classify_file_system(std::int64_t statfs_magic);
Result<FileSystem> file_system_of(const std::string& path);

// Bytes that can still be written below `path`.
Result<std::uint64_t> free_bytes(const std::string& path);

// What this host's workers of the state in a directory have seen: that of the one with the highest start.
store::Seen seen_by_workers(const std::string& state_dir);

class StateDir {
 public:
  // Makes the folder with 0700 where it is missing, checks that it belongs to this user and can be written, that its
  // file system is a local one, and takes the lock. Errors: denied, conflict (another daemon's, with its pid),
  // invalid_argument (a network file system), disk_full, io.
  static Result<StateDir> claim(const std::string& path);
  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&& other) noexcept;
  ~StateDir();  // gives the lock back

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string database() const { return path_ + "/baton.db"; }
  // One folder per worker on this host.
  [[nodiscard]] std::string worker_dir(const std::string& worker) const { return path_ + "/workers/" + worker; }
  [[nodiscard]] std::string boot_file(const std::string& worker) const { return worker_dir(worker) + "/boot-id"; }
  // Makes it with 0700.
  [[nodiscard]] Result<> make_worker_dir(const std::string& worker) const;
  [[nodiscard]] store::Seen seen() const { return seen_by_workers(path_); }
  // Notes beside the lock where the daemon listens.
  void note_socket(const std::string& socket) const;
  // Whether the lock is still the one that others would have to take: its file may have been removed or replaced.
  [[nodiscard]] bool is_ours() const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  StateDir(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  int lock_fd_ = -1;
  std::vector<std::string> warnings_;
};

}  // namespace baton::service
