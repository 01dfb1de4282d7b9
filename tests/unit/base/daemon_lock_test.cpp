#include <baton/base/daemon_lock.hpp>

#include "catch.hpp"

using namespace baton;

TEST_CASE("a lock's note says who holds it and where that one listens") {
  const LockNote note = parse_lock_note(lock_note_text({.pid = 4711, .socket = "/run/b a/s"}));
  CHECK(note.pid == 4711);
  CHECK(note.socket == "/run/b a/s");
  CHECK(parse_lock_note(lock_note_text({.pid = 4711})).socket.empty());
}

TEST_CASE("what makes no sense in a lock's note is not known") {
  CHECK(parse_lock_note("").pid == 0);
  CHECK(parse_lock_note("12x\n/s\n").pid == 0);
  CHECK(parse_lock_note("-5\n").pid == 0);
  CHECK(parse_lock_note("99999999999999999999\n/s\n").pid == 0);
  CHECK(parse_lock_note("12\n").pid == 12);
  CHECK(parse_lock_note("12\nrelative\n").socket.empty());
  CHECK(parse_lock_note("12\n/cut/of").socket.empty());
}

TEST_CASE("a state that was never served has no holder") {
  const auto holder = find_lock_holder("/nonexistent");
  REQUIRE(holder);
  CHECK_FALSE(*holder);
}
