// Where attempts write: a log segment and a scratch folder for each attempt that runs at the same time as others.
//
// A slot is used by one attempt after the other. Its number is the segment's number, given once and never again in a
// worker folder. An attempt's log is what was appended to the segment while it had the slot.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/sweeper.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace baton::worker {

struct Slot {
  std::uint32_t number = 0;
  Descriptor log;           // opened to append
  std::uint64_t end = 0;    // the segment's size when an attempt had it last, and where the next one begins
  std::string folder;       // slots/NNNNNNNN, below the worker folder
  std::string tmp_path;     // absolute: BATON_TMPDIR
  std::string output_path;  // absolute: BATON_OUTPUT; need not exist
  std::string script_path;  // absolute
};

class Slots {
 public:
  static constexpr std::uint64_t kRotateBytes = 64u << 20;

  explicit Slots(const Folder& folder, std::uint64_t rotate_bytes = kRotateBytes);

  // Takes stock of the folder. `in_use`: slots of attempts that still run; what others left behind is discarded.
  Result<void> open(const std::set<std::uint32_t>& in_use);
  // A slot with an empty scratch folder.
  Result<Slot*> acquire();
  // The slot of an attempt that an earlier session started. A damaged journal may name one slot for several attempts
  // that have not ended: each gets a Slot of its own, and the last one released is the one that may be used again.
  Result<Slot*> adopt(std::uint32_t number);
  // `reusable`: nothing can write to it any more.
  void release(Slot* slot, bool reusable);

  // The segment's size now.
  static std::uint64_t size(const Slot& slot);
  Sweeper& sweeper() { return sweeper_; }

 private:
  Result<Slot*> take();
  Result<Slot*> make(std::uint32_t number);
  Result<void> furnish(const Slot& slot);
  bool tidy(const Slot& slot);
  void drop(const Slot* slot);

  const Folder& folder_;
  std::uint64_t rotate_bytes_;
  Sweeper sweeper_;
  std::multimap<std::uint32_t, std::unique_ptr<Slot>> slots_;  // in use or free; several of one number: see adopt()
  std::vector<Slot*> free_;
  std::vector<std::uint32_t> known_;  // segments of earlier sessions that have room left
  std::uint32_t next_ = 1;
};

// Names below the worker folder: slots/NNNNNNNN and logs/NNNNNNNN.seg.
std::string slot_name(std::uint32_t number);
std::string segment_name(std::uint32_t number);

}  // namespace baton::worker
