#include <baton/base/descriptor.hpp>
#include <baton/worker/sweeper.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <memory>
#include <string_view>

namespace baton::worker {
namespace {

using DirectoryStream = std::unique_ptr<DIR, int (*)(DIR*)>;

DirectoryStream read_entries(int folder) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr && copy >= 0) ::close(copy);
  return {stream, ::closedir};
}

bool is_self_or_parent(const char* name) { return std::string_view(name) == "." || std::string_view(name) == ".."; }

// Opens a sub-folder that a task may have made unreadable.
Descriptor open_folder_at(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct stat info{};
  if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode)) return {};
  if ((info.st_mode & 0700) != 0700) ::fchmodat(parent, name, 0700, 0);
  return Descriptor(::openat(parent, name, kFlags));
}

}  // namespace

Sweeper::Sweeper(int folder) : folder_(folder) {
  // Names must differ from those that an earlier session left.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  next_ = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string Sweeper::fresh_name() { return fmt::format("{}", next_++); }

Result<void> Sweeper::discard(const std::string& name) {
  if (::renameat(folder_, name.c_str(), folder_, ("trash/" + fresh_name()).c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, name);
  }
  pending_ = true;
  return {};
}

bool Sweeper::step(std::size_t budget) {
  if (!pending_) return false;
  const Descriptor trash(::openat(folder_, "trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const DirectoryStream entries = trash ? read_entries(trash.get()) : DirectoryStream(nullptr, ::closedir);
  if (!entries) return pending_ = false;
  Step step{budget, 0};
  while (const dirent* entry = ::readdir(entries.get())) {
    if (is_self_or_parent(entry->d_name) || stuck_.contains(entry->d_name)) continue;
    if (step.budget == 0) return true;
    --step.budget;
    const std::string name = entry->d_name;
    if (::unlinkat(trash.get(), name.c_str(), 0) == 0) {
      ++step.done;
    } else if (!sweep_folder(trash.get(), name, step)) {
      return true;
    }
  }
  return pending_ = false;
}

// Empties and removes one folder of the trash. False if the budget ran out before it was done.
bool Sweeper::sweep_folder(int trash, const std::string& name, Step& step) {
  const Descriptor folder = open_folder_at(trash, name.c_str());
  const DirectoryStream entries = folder ? read_entries(folder.get()) : DirectoryStream(nullptr, ::closedir);
  bool moved = false;
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    if (is_self_or_parent(entry->d_name)) continue;
    if (step.budget == 0) {
      // The next step would begin with the same entries.
      if (step.done == 0) stuck_.insert(name);
      return false;
    }
    --step.budget;
    if (::unlinkat(folder.get(), entry->d_name, 0) == 0 || ::unlinkat(folder.get(), entry->d_name, AT_REMOVEDIR) == 0) {
      ++step.done;
      continue;
    }
    // Moving a folder needs the right to write to it, since its `..` changes.
    if (const Descriptor inner = open_folder_at(folder.get(), entry->d_name); !inner) continue;
    if (::renameat(folder.get(), entry->d_name, trash, fresh_name().c_str()) != 0) continue;
    ++step.done;
    moved = true;
  }
  if (::unlinkat(trash, name.c_str(), AT_REMOVEDIR) != 0) stuck_.insert(name);
  ++step.done;
  return !moved;  // what was moved up may not be seen by the listing under way
}

}  // namespace baton::worker
