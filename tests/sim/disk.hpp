// The disk that SQLite writes to in this process: it can be full. A write that finds it full may leave a piece behind,
// as write(2) does, and fails as ENOSPC makes SQLite fail it.
#pragma once
#include <cstdint>

namespace baton::sim {

class Disk {
 public:
  // From here on every connection of the process uses it. Once.
  static void install();
  static void fill_after(std::uint64_t writes);  // that many still find room
  static void empty();
};

}  // namespace baton::sim
