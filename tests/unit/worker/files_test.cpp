#include <baton/base/limits.hpp>
#include <baton/worker/host.hpp>
#include <baton/worker/log_reader.hpp>
#include <baton/worker/output_file.hpp>
#include <baton/worker/slots.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "skip.hpp"
#include "small_disk.hpp"
#include "temp_folder.hpp"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

void sweep_all(Sweeper& sweeper, std::size_t budget = 3) {
  for (int steps = 0; sweeper.step(budget); ++steps) REQUIRE(steps < 100'000);
}

std::map<std::string, std::string> good(std::string_view text) {
  auto outputs = parse_outputs(text);
  REQUIRE(outputs);
  return *outputs;
}

std::string bad(std::string_view text) {
  auto outputs = parse_outputs(text);
  REQUIRE_FALSE(outputs);
  return outputs.error().message;
}

}  // namespace

TEST_CASE("a folder is where its path leads, or where it was moved to, or nowhere") {
  TempFolder temp;
  const std::string path = temp.folder().path;
  CHECK(current_path(temp.folder()) == path);
  fs::rename(path, temp.root() + "/moved");
  CHECK(current_path(temp.folder()) == fs::canonical(temp.root() + "/moved"));
  REQUIRE(open_folder(path));  // another one in its place
  CHECK(current_path(temp.folder()) == fs::canonical(temp.root() + "/moved"));
  fs::remove_all(temp.root() + "/moved");
  CHECK(current_path(temp.folder()).empty());
}

TEST_CASE("outputs are name=value lines and blocks") {
  using Map = std::map<std::string, std::string>;
  CHECK(good("").empty());
  CHECK(good("a=1\n\nb=x=y\nc=") == Map{{"a", "1"}, {"b", "x=y"}, {"c", ""}});
  CHECK(good("a=1\na=2\n") == Map{{"a", "2"}});
  CHECK(good("a<<EOF\nx\n\n y=1\nEOF\nb=2\n") == Map{{"a", "x\n\n y=1"}, {"b", "2"}});
  CHECK(good("a<<EOF\nEOF") == Map{{"a", ""}});
  CHECK(good("a=b<<c\n") == Map{{"a", "b<<c"}});
  CHECK(good("a<<x=y\n1\nx=y\n") == Map{{"a", "1"}});
}

TEST_CASE("malformed outputs name their line") {
  CHECK(bad("a=1\nnonsense\n").starts_with("line 2: neither"));
  CHECK(bad("1a=1\n") == "line 1: what is before the = is not a name");  // a part of a secret, maybe: not quoted
  CHECK(bad(" a=1\n").starts_with("line 1"));
  CHECK(bad("a<<\n").find("delimiter") != std::string::npos);
  CHECK(bad("x=1\na<<EOF\n1\n2\n").find("line 2: the block of `a`") != std::string::npos);
  CHECK(bad("a=\xff\n").find("UTF-8") != std::string::npos);
}

TEST_CASE("slots are used again, and never by two at once") {
  TempFolder temp;
  Slots slots(temp.folder());
  REQUIRE(slots.open({}, {}));
  Slot* one = *slots.acquire();
  Slot* two = *slots.acquire();
  CHECK(one->number != two->number);
  CHECK(fs::is_empty(one->tmp_path));
  spill(one->tmp_path + "/left", "x");
  spill(one->output_path, "x");
  const std::uint32_t number = one->number;
  slots.release(one, true);
  Slot* again = *slots.acquire();
  CHECK(again->number == number);
  CHECK(fs::is_empty(again->tmp_path));
  CHECK_FALSE(fs::exists(again->output_path));
  slots.release(again, false);  // something may still write to it
  CHECK((*slots.acquire())->number > two->number);
}

TEST_CASE("a scratch folder that only looks untouched is emptied") {
  TempFolder temp;
  Slots slots(temp.folder());
  REQUIRE(slots.open({}, {}));
  Slot* slot = *slots.acquire();
  struct stat before{}, after{};
  REQUIRE(::stat(slot->tmp_path.c_str(), &before) == 0);
  const timespec zero[2] = {{0, 0}, {0, 0}};
  do {  // until the clock of the file system has gone on
    spill(slot->tmp_path + "/left", "x");
    REQUIRE(::utimensat(AT_FDCWD, slot->tmp_path.c_str(), zero, 0) == 0);
    REQUIRE(::stat(slot->tmp_path.c_str(), &after) == 0);
  } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
  slots.release(slot, true);
  CHECK(fs::is_empty((*slots.acquire())->tmp_path));
}

TEST_CASE("a segment that an attempt has written to is nobody else's, and a number is one attempt's") {
  TempFolder temp;
  Slots slots(temp.folder());
  REQUIRE(slots.open({}, {}));
  Slot* slot = *slots.acquire();
  const std::uint32_t silent = slot->segment;
  slots.release(slot, true);
  slot = *slots.acquire();
  const std::uint32_t talking = slot->segment;
  CHECK(talking != silent);
  CHECK_FALSE(fs::exists(temp.path(segment_name(silent))));  // it was empty and has gone on
  REQUIRE(::write(slot->log.get(), "hello", 5) == 5);
  CHECK(Slots::size(*slot) == 5);
  slots.release(slot, true);
  slot = *slots.acquire();
  CHECK(slot->segment != talking);
  CHECK(Slots::size(*slot) == 0);
  CHECK(slurp(temp.path(segment_name(talking))) == "hello");
  fs::remove(temp.path(segment_name(slot->segment)));  // by whoever
  slots.release(slot, true);
  slot = *slots.acquire();
  REQUIRE(::write(slot->log.get(), "x", 1) == 1);
  CHECK(slurp(temp.path(segment_name(slot->segment))) == "x");
}

TEST_CASE("another session uses empty segments again, and leaves alone what is in use or written to") {
  TempFolder temp;
  std::uint32_t used = 0, used_segment = 0, empty = 0, written = 0;
  {
    Slots slots(temp.folder());
    REQUIRE(slots.open({}, {}));
    used = (*slots.acquire())->number;
    used_segment = (*slots.acquire())->segment;
    empty = (*slots.acquire())->segment;
    Slot* slot = *slots.acquire();
    written = slot->segment;
    REQUIRE(::write(slot->log.get(), "x", 1) == 1);
    spill(temp.path(fmt::format("slots/{:08}/tmp/work", used)), "precious");
  }
  Slots slots(temp.folder());
  REQUIRE(slots.open({used}, {used_segment}));
  const Slot* fresh[] = {*slots.acquire(), *slots.acquire(), *slots.acquire()};
  for (const Slot* slot : fresh) CHECK(slot->segment > written);
  CHECK_FALSE(fs::exists(temp.path(segment_name(empty))));
  CHECK(fs::file_size(temp.path(segment_name(used_segment))) == 0);
  CHECK(slurp(temp.path(segment_name(written))) == "x");
  Slot* adopted = *slots.adopt(used, used_segment);
  sweep_all(slots.sweeper());
  CHECK(slurp(adopted->tmp_path + "/work") == "precious");
  CHECK(fs::is_empty(temp.path("trash")));
}

TEST_CASE("a slot that a damaged journal gives to two attempts is used again when both have ended") {
  TempFolder temp;
  Slots slots(temp.folder());
  REQUIRE(slots.open({7}, {7}));
  auto first = slots.adopt(7, 7);
  auto second = slots.adopt(7, 7);
  REQUIRE((first && second));
  REQUIRE(*first != *second);
  CHECK((*first)->log.get() != (*second)->log.get());
  slots.release(*first, true);
  auto other = slots.acquire();
  REQUIRE(other);
  CHECK((*other)->number != 7);
  CHECK(Slots::size(**second) == 0);
  slots.release(*second, true);
  auto again = slots.acquire();
  REQUIRE(again);
  CHECK((*again)->number == 7);
}

TEST_CASE("the sweeper removes deep trees and follows nothing") {
  TempFolder temp;
  fs::create_directories(temp.root() + "/outside/keep");
  spill(temp.root() + "/outside/keep/file", "kept");
  std::string deep = temp.path("slots/1");
  for (int i = 0; i < 200; ++i) deep += "/d";
  fs::create_directories(deep);
  spill(deep + "/file", "x");
  fs::create_directory_symlink(temp.root() + "/outside", temp.path("slots/1/link"));
  fs::create_directory_symlink(temp.root() + "/outside", deep + "/link");
  fs::create_directories(temp.path("slots/1/locked/inner"));
  ::chmod(temp.path("slots/1/locked").c_str(), 0);
  for (int i = 0; i < 50; ++i) spill(temp.path(fmt::format("slots/1/file{}", i)), "x");

  Sweeper sweeper(temp.fd());
  REQUIRE(sweeper.discard("slots/1"));
  REQUIRE(sweeper.discard("slots/none"));
  CHECK_FALSE(fs::exists(temp.path("slots/1")));
  CHECK(sweeper.pending());
  sweep_all(sweeper);
  CHECK(fs::is_empty(temp.path("trash")));
  CHECK(slurp(temp.root() + "/outside/keep/file") == "kept");
  CHECK_FALSE(sweeper.pending());
}

TEST_CASE("the sweeper gives up what it cannot remove, and does the rest") {
  if (::geteuid() != 0) return testing::skip("only root can make files that are somebody else's");
  TempFolder temp;
  constexpr uid_t kNobody = 65534;
  for (const std::string& name : {temp.root(), temp.path(""), temp.path("slots"), temp.path("trash")}) {
    REQUIRE(::chown(name.c_str(), kNobody, kNobody) == 0);
  }
  for (const char* stuck : {"slots/1", "slots/2"}) {  // root's, with more entries than a step looks at
    fs::create_directories(temp.path(stuck));
    for (int i = 0; i < 10; ++i) spill(temp.path(fmt::format("{}/file{}", stuck, i)), "x");
  }
  REQUIRE(::seteuid(kNobody) == 0);
  fs::create_directories(temp.path("slots/3/inner"));
  for (int i = 0; i < 10; ++i) spill(temp.path(fmt::format("slots/3/inner/file{}", i)), "x");
  Sweeper sweeper(temp.fd());
  // A folder can be moved only by who may write to it, so these two are put into the trash by root.
  REQUIRE(sweeper.discard("slots/3"));
  REQUIRE(::seteuid(0) == 0);
  fs::rename(temp.path("slots/1"), temp.path("trash/1"));
  fs::rename(temp.path("slots/2"), temp.path("trash/2"));
  REQUIRE(::seteuid(kNobody) == 0);
  int steps = 0;
  while (sweeper.step(5) && steps < 1'000) ++steps;
  REQUIRE(::seteuid(0) == 0);
  CHECK(steps < 1'000);
  CHECK_FALSE(sweeper.pending());
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(temp.path("trash"))) left.insert(entry.path().filename());
  CHECK(left == std::set<std::string>{"1", "2"});
}

TEST_CASE("the supervisor's log keeps its end and does not grow without end; another file is left alone") {
  const TempFolder temp;
  const std::string name = GENERATE("supervisor.log", "mine");
  const std::string problem = testing::in_child([&]() -> std::string {
    const int log = ::open(temp.path(name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || ::dup2(log, 2) < 0 || ::chdir(temp.folder().path.c_str()) != 0) return "no log";
    const std::string line(1'000, 'x');
    for (int i = 0; i < 3'000; ++i) system_host().log(line);
    system_host().log("the last");
    return "";
  });
  CHECK(problem == "");
  const std::string text = slurp(temp.path(name));
  CHECK(text.starts_with("baton-worker: xxx"));
  CHECK(text.ends_with("\nbaton-worker: the last\n"));
  CHECK((text.size() <= static_cast<std::size_t>(limits::kSupervisorLogBytes) + 2'000) == (name == "supervisor.log"));
  CHECK(text.size() > static_cast<std::size_t>(limits::kSupervisorLogBytes / 4));
}

TEST_CASE("log extents are read within their bounds") {
  TempFolder temp;
  spill(temp.path("logs/00000003.seg"), "0123456789");
  const auto read = [&](wire::LogExtent extent, std::uint32_t max, bool from_end) {
    return read_log(temp.fd(), {.request = 1, .extent = extent, .max_bytes = max, .from_end = from_end});
  };
  wire::LogData data = read({3, 2, 6}, 100, false);
  CHECK(data.bytes == "2345");
  CHECK(data.offset == 2);
  CHECK(data.end);
  data = read({3, 2, 6}, 3, false);
  CHECK(data.bytes == "234");
  CHECK_FALSE(data.end);
  data = read({3, 2, wire::LogExtent::kOpen}, 3, true);
  CHECK(data.bytes == "789");
  CHECK(data.offset == 7);
  CHECK(data.end);
  CHECK(read({3, 50, 60}, 10, false).bytes.empty());
  data = read({3, 50, wire::LogExtent::kOpen}, 10, false);  // it was longer: the task has emptied it
  CHECK(data.bytes.empty());
  CHECK(data.offset == 10);
  CHECK(read({3, 6, 2}, 10, false).bytes.empty());
  CHECK(read({0, 0, 0}, 10, false).error.empty());
  CHECK(read({4, 0, 0}, 10, false).error.empty());
  data = read({4, 0, wire::LogExtent::kOpen}, 10, false);  // it was empty and is another attempt's by now
  CHECK(data.error.empty());
  CHECK(data.end);
  CHECK_FALSE(read({4, 0, 1}, 10, false).error.empty());
  spill(temp.path("logs/00000005.seg"), std::string(limits::kLogChunkBytes * 2, 'x'));
  CHECK(read({5, 0, wire::LogExtent::kOpen}, ~0u, false).bytes.size() == limits::kLogChunkBytes);
}

TEST_CASE("a worker folder admits one daemon and no stale incarnation") {
  TempFolder temp;
  CHECK(admit_daemon(temp.fd(), "d1", 3));
  CHECK(admit_daemon(temp.fd(), "d1", 3));
  CHECK(admit_daemon(temp.fd(), "d1", 5));
  CHECK(admit_daemon(temp.fd(), "d1", 4).error().code == ErrorCode::denied);
  CHECK(admit_daemon(temp.fd(), "d2", 9).error().code == ErrorCode::denied);
  CHECK(admit_daemon(temp.fd(), "d 1", 9).error().code == ErrorCode::invalid_argument);
  spill(temp.path("daemon"), "garbage");
  CHECK(admit_daemon(temp.fd(), "d1", 9).error().code == ErrorCode::corrupt);
}

TEST_CASE("a folder that is not private is refused") {
  TempFolder temp;
  ::chmod(temp.path("").c_str(), 0770);
  CHECK(open_folder(temp.path("")).error().code == ErrorCode::denied);
}

}  // namespace baton::worker
