// Where attempts write: a log segment and a scratch folder for each attempt that runs at the same time as others.
//
// A slot is used by one attempt after the other. A segment that an attempt has written to is that attempt's for good:
// a task reaches its segment through /proc/self/fd and may cut it, as any file of its own. One that is empty goes on to
// the slot's next attempt under a number of its own. A number is given once in a worker folder: to a slot and its first
// segment, or to a segment.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/sweeper.hpp>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace baton::worker {

struct Slot {
  std::uint32_t number = 0;
  std::uint32_t segment = 0;  // 0: none yet
  Descriptor log;             // the segment, opened to append; none while the slot is free and needs a fresh one
  std::string folder;         // slots/NNNNNNNN, below the worker folder
  std::string tmp_path;       // absolute: BATON_TMPDIR
  std::string output_path;    // absolute: BATON_OUTPUT; need not exist
  std::string script_path;    // absolute
  timespec folder_marked_at{}, tmp_marked_at{};  // when the two folders were found or made empty
};

class Slots {
 public:
  explicit Slots(const Folder& folder);

  // Takes stock of the folder. In use are the slots and segments of attempts that still run; what is in other slots is
  // discarded, other segments are kept.
  Result<void> open(const std::set<std::uint32_t>& slots_in_use, const std::set<std::uint32_t>& segments_in_use);
  // A slot with an empty scratch folder and an empty segment.
  Result<Slot*> acquire();
  // The slot of an attempt that an earlier session started. A damaged journal may name one slot for several attempts
  // that have not ended: each gets a Slot of its own, and the last one released is the one that may be used again.
  Result<Slot*> adopt(std::uint32_t number, std::uint32_t segment);
  // `reusable`: nothing can write to it any more, and nothing of its number is left elsewhere.
  void release(Slot* slot, bool reusable);

  // When descriptors have run out: gives back those of slots that nobody uses. False: there are none.
  bool close_free_logs();

  // The segment's size now.
  static std::uint64_t size(const Slot& slot);
  Sweeper& sweeper() { return sweeper_; }

 private:
  Result<std::uint32_t> fresh_number();
  Result<Slot*> take();
  Slot* make(std::uint32_t number);
  Result<void> give_segment(Slot& slot);
  bool rename_segment(std::uint32_t from, std::uint32_t to);
  Result<void> furnish(Slot& slot);
  bool tidy(Slot& slot);
  void drop(const Slot* slot);

  const Folder& folder_;
  Sweeper sweeper_;
  std::multimap<std::uint32_t, std::unique_ptr<Slot>> slots_;  // in use or free; several of one number: see adopt()
  std::vector<Slot*> free_;
  std::vector<std::uint32_t> empty_;  // segments that nobody has written to and no slot has
  std::uint64_t next_ = 1;            // the number that is given next
};

// Names below the worker folder: slots/NNNNNNNN and logs/NNNNNNNN.seg.
std::string slot_name(std::uint32_t number);
std::string segment_name(std::uint32_t number);

}  // namespace baton::worker
