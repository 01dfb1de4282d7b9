#include "disk.hpp"

#include <sqlite3.h>

#include <list>
#include <optional>

namespace baton::sim {
namespace {

std::optional<std::uint64_t> room;  // nullopt: as much as one likes
sqlite3_vfs* real_vfs;

// The methods of a file as SQLite's own file system has them, but for one.
struct Methods : sqlite3_io_methods {
  const sqlite3_io_methods* real;
};

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  const auto* methods = static_cast<const Methods*>(file->pMethods);
  if (!room || *room > 0) {
    if (room) --*room;
    return methods->real->xWrite(file, bytes, size, at);
  }
  if (at % 3 == 0) methods->real->xWrite(file, bytes, size / 2, at);
  return SQLITE_FULL;
}

const Methods* limited(const sqlite3_io_methods* real) {
  static std::list<Methods> known;
  for (const Methods& methods : known) {
    if (methods.real == real) return &methods;
  }
  Methods& methods = known.emplace_back(Methods{*real, real});
  methods.xWrite = write;
  return &methods;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* got) {
  const int code = real_vfs->xOpen(real_vfs, name, file, flags, got);
  if (code == SQLITE_OK && file->pMethods != nullptr) file->pMethods = limited(file->pMethods);
  return code;
}

}  // namespace

void Disk::install() {
  // One thread; statistics that nobody reads cost a lock per allocation.
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_initialize();
  real_vfs = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *real_vfs;
  vfs.pNext = nullptr;
  vfs.zName = "baton-sim";
  vfs.xOpen = open;
  sqlite3_vfs_register(&vfs, 1);
}

void Disk::fill_after(std::uint64_t writes) { room = writes; }
void Disk::empty() { room.reset(); }

}  // namespace baton::sim
