// The worker folder: everything one daemon has on one host.
//
//   supervisor.{sock,lock,log}  session.lock  start.lock    who is running
//   journal, journal.lock, journal.new                      what happened to attempts (journal.hpp)
//   daemon                                                  whose folder this is: id and highest incarnation seen
//   boot-id                                                 the daemon's: of the boot that attempts were given to
//   cgroups                                                 where control groups of this worker may be
//   logs/NNNNNNNN.seg, slots/NNNNNNNN/, trash/              output and scratch of attempts (slots.hpp)
//   details/ATTEMPT                                         outcomes that do not fit a journal record
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::worker {

struct Folder {
  Descriptor fd;
  std::string path;  // absolute
};

// Opens the folder, making it (0700) and its sub-folders if need be. denied: it belongs to somebody else or others may
// write to it.
Result<Folder> open_folder(const std::string& path);

// Where the folder is now: its path as long as that leads to it, another one after it was moved. Empty: it was removed,
// so that nobody finds it any more and nothing can be put into it.
std::string current_path(const Folder& folder);

// /proc/sys/kernel/random/boot_id: changes with every boot of the host.
Result<std::string> read_boot_id();

// Whose folder it is, as the file `daemon` says ("ID INCARNATION"). not_found: nobody's yet; corrupt, io.
struct Owner {
  std::string daemon_id;
  std::uint64_t incarnation = 0;  // the highest seen
};
Result<Owner> read_owner(int folder);

// Raises the highest incarnation seen. denied: the folder is another daemon's, or a newer incarnation was here before.
Result<void> admit_daemon(int folder, const std::string& daemon_id, std::uint64_t incarnation);

}  // namespace baton::worker
