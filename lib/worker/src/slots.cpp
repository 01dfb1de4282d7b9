#include <baton/worker/slots.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

namespace baton::worker {
namespace {

// The number of logs/NNNNNNNN.seg or slots/NNNNNNNN; 0: not one of our names.
std::uint32_t number_of(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return 0;
  name.remove_suffix(suffix.size());
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() ? number : 0;
}

Result<std::vector<std::uint32_t>> list_numbers(int folder, const char* name, std::string_view suffix) {
  const int fd = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, name);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
  std::vector<std::uint32_t> numbers;
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    if (const std::uint32_t number = number_of(entry->d_name, suffix); number != 0) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

constexpr int kAppend = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW;

// A time of modification that no change leaves in place: how an untouched folder is recognised with one call. A task
// can set it too, and then the time of the change shows that.
constexpr timespec kUntouched[2] = {{0, 0}, {0, 0}};

bool untouched(int folder, const std::string& name, const timespec& marked_at) {
  struct stat info{};
  return ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode) &&
         (info.st_mode & 07777) == 0700 && info.st_mtim.tv_sec == 0 && info.st_mtim.tv_nsec == 0 &&
         info.st_ctim.tv_sec == marked_at.tv_sec && info.st_ctim.tv_nsec == marked_at.tv_nsec;
}

bool mark_untouched(int folder, const std::string& name, timespec& marked_at) {
  struct stat info{};
  if (::utimensat(folder, name.c_str(), kUntouched, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return false;
  }
  marked_at = info.st_ctim;
  return true;
}

// Whether the folder is ours, a folder, and has no entry but `name`.
bool holds_only(int parent, const std::string& folder, std::string_view name) {
  const int fd = ::openat(parent, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
  struct stat info{};
  if (!entries || ::fstat(fd, &info) != 0 || (info.st_mode & 07777) != 0700) return false;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != ".." && found != name) return false;
  }
  return true;
}

}  // namespace

std::string slot_name(std::uint32_t number) { return fmt::format("slots/{:08}", number); }
std::string segment_name(std::uint32_t number) { return fmt::format("logs/{:08}.seg", number); }

Slots::Slots(const Folder& folder) : folder_(folder), sweeper_(folder.fd.get()) {}

Result<void> Slots::open(const std::set<std::uint32_t>& slots_in_use, const std::set<std::uint32_t>& segments_in_use) {
  const auto pass = [this](std::uint32_t number) { next_ = std::max(next_, std::uint64_t{number} + 1); };
  for (const std::uint32_t number : slots_in_use) pass(number);
  for (const std::uint32_t number : segments_in_use) pass(number);
  auto folders = list_numbers(folder_.fd.get(), "slots", "");
  if (!folders) return std::unexpected(folders.error());
  for (const std::uint32_t number : *folders) {
    pass(number);
    if (slots_in_use.contains(number)) continue;
    if (auto discarded = sweeper_.discard(slot_name(number)); !discarded) return discarded;
  }
  auto segments = list_numbers(folder_.fd.get(), "logs", ".seg");
  if (!segments) return std::unexpected(segments.error());
  for (const std::uint32_t number : *segments) {
    pass(number);
    struct stat info{};
    const bool is_file = ::fstatat(folder_.fd.get(), segment_name(number).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISREG(info.st_mode);
    if (is_file && info.st_size == 0 && !segments_in_use.contains(number)) empty_.push_back(number);
  }
  return {};
}

Result<std::uint32_t> Slots::fresh_number() {
  if (next_ > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::limit, "the worker folder has given all of its numbers to slots and logs");
  }
  return static_cast<std::uint32_t>(next_++);
}

Result<Slot*> Slots::acquire() {
  auto slot = take();
  if (!slot) return slot;
  if (auto given = give_segment(**slot); !given) {
    free_.push_back(*slot);
    return std::unexpected(given.error());
  }
  return slot;
}

Result<Slot*> Slots::take() {
  if (!free_.empty()) {
    Slot* slot = free_.back();
    free_.pop_back();
    return slot;
  }
  auto number = fresh_number();
  if (!number) return std::unexpected(number.error());
  Slot* slot = make(*number);
  if (auto furnished = furnish(*slot); !furnished) {
    drop(slot);
    return std::unexpected(furnished.error());
  }
  return slot;
}

Result<Slot*> Slots::adopt(std::uint32_t number, std::uint32_t segment) {
  const std::string name = segment_name(segment);
  Descriptor log(::openat(folder_.fd.get(), name.c_str(), kAppend | O_CREAT, 0600));
  if (!log) return fail_errno(errno, name);
  Slot* slot = make(number);
  slot->segment = segment;
  slot->log = std::move(log);
  return slot;
}

// An empty segment is renamed, which costs less than making one: a number is one attempt's, even if it wrote nothing,
// so that who still follows the log of the attempt before does not see the next one's.
Result<void> Slots::give_segment(Slot& slot) {
  auto number = slot.segment == 0 ? Result<std::uint32_t>(slot.number) : fresh_number();
  if (!number) return std::unexpected(number.error());
  std::uint32_t empty = slot.segment;
  if (!slot.log && !empty_.empty()) {
    empty = empty_.back();
    empty_.pop_back();
    slot.log.reset(::openat(folder_.fd.get(), segment_name(empty).c_str(), kAppend));
    if (slot.log && size(slot) > 0) slot.log.reset();
  }
  slot.segment = *number;
  if (!slot.log || !rename_segment(empty, *number)) {
    const std::string name = segment_name(*number);
    constexpr int kNew = kAppend | O_CREAT | O_EXCL;
    slot.log.reset(::openat(folder_.fd.get(), name.c_str(), kNew, 0600));
    const int error = slot.log ? 0 : errno;
    if ((error == EMFILE || error == ENFILE) && close_free_logs()) {
      slot.log.reset(::openat(folder_.fd.get(), name.c_str(), kNew, 0600));
    }
    if (!slot.log) return fail_errno(error, name);
  }
  return {};
}

bool Slots::close_free_logs() {
  bool any = false;
  for (Slot* slot : free_) {
    if (!slot->log) continue;
    slot->log.reset();
    empty_.push_back(slot->segment);
    any = true;
  }
  return any;
}

bool Slots::rename_segment(std::uint32_t from, std::uint32_t to) {
  return ::renameat(folder_.fd.get(), segment_name(from).c_str(), folder_.fd.get(), segment_name(to).c_str()) == 0;
}

Slot* Slots::make(std::uint32_t number) {
  auto slot = std::make_unique<Slot>();
  slot->number = number;
  slot->folder = slot_name(number);
  slot->tmp_path = fmt::format("{}/{}/tmp", folder_.path, slot->folder);
  slot->output_path = fmt::format("{}/{}/output", folder_.path, slot->folder);
  slot->script_path = fmt::format("{}/{}/script", folder_.path, slot->folder);
  return slots_.emplace(number, std::move(slot))->second.get();
}

Result<void> Slots::furnish(Slot& slot) {
  const int folder = folder_.fd.get();
  const std::string tmp = slot.folder + "/tmp";
  for (const std::string& name : {slot.folder, tmp}) {
    // A umask that takes rights away from us would make every use look like a change.
    if (::mkdirat(folder, name.c_str(), 0700) != 0 || ::fchmodat(folder, name.c_str(), 0700, 0) != 0) {
      return fail_errno(errno, name);
    }
  }
  if (!mark_untouched(folder, tmp, slot.tmp_marked_at)) return fail_errno(errno, tmp);
  if (!mark_untouched(folder, slot.folder, slot.folder_marked_at)) return fail_errno(errno, slot.folder);
  return {};
}

// Makes the scratch folder empty again if that takes but a few calls: false means that it must be replaced.
bool Slots::tidy(Slot& slot) {
  const int folder = folder_.fd.get();
  const std::string tmp = slot.folder + "/tmp";
  const bool tmp_untouched = untouched(folder, tmp, slot.tmp_marked_at);
  if (!untouched(folder, slot.folder, slot.folder_marked_at)) {
    for (const char* own : {"/script", "/launch", "/output"}) ::unlinkat(folder, (slot.folder + own).c_str(), 0);
    if (!holds_only(folder, slot.folder, "tmp") || !mark_untouched(folder, slot.folder, slot.folder_marked_at)) {
      return false;
    }
  }
  if (tmp_untouched) return true;
  return holds_only(folder, tmp, "") && mark_untouched(folder, tmp, slot.tmp_marked_at);
}

void Slots::drop(const Slot* slot) {
  const auto [from, to] = slots_.equal_range(slot->number);
  slots_.erase(std::find_if(from, to, [&](const auto& entry) { return entry.second.get() == slot; }));
}

void Slots::release(Slot* slot, bool reusable) {
  if (slots_.count(slot->number) > 1) return drop(slot);  // its folder is another's too
  bool again = reusable;
  if (!again || !tidy(*slot)) {
    const bool discarded = sweeper_.discard(slot->folder).has_value();
    again = again && discarded && furnish(*slot).has_value();
  }
  if (!again) return drop(slot);
  if (size(*slot) > 0) slot->log.reset();
  free_.push_back(slot);
}

std::uint64_t Slots::size(const Slot& slot) {
  struct stat info{};
  return ::fstat(slot.log.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

}  // namespace baton::worker
