#include <baton/base/file.hpp>
#include <baton/service/log.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "catch.hpp"
#include "small_disk.hpp"

using namespace baton;
using namespace baton::service;

namespace {

namespace fs = std::filesystem;

std::string slurp(const std::string& path) { return read_file_at(AT_FDCWD, path.c_str(), 1u << 30).value_or(""); }

struct Folder {
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { fs::remove_all(path); }
  std::string path = fs::temp_directory_path() / "baton-log-XXXXXX";
};

// stdout and stderr as they are when somebody has started the daemon with its log as both.
void become_stderr(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  ::close(fd);
}

// The descriptors that a program would inherit and that lead into the folder.
std::string inherited(const std::string& folder) {
  std::string found;
  for (int fd = 0; fd < 256; ++fd) {
    std::error_code error;
    const std::string target = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd), error).native();
    if (error || !target.starts_with(folder) || (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) continue;
    found += fmt::format("{}: {}\n", fd, target.substr(folder.size()));
  }
  return found;
}

constexpr LogFileBounds kSmall{.bytes = 4096, .older_files = 2};

}  // namespace

TEST_CASE("A log that has become too long is put aside, and few are kept") {
  const Folder folder;
  const std::string log = folder.path + "/d.log";
  const std::string wrong = testing::in_child([&]() -> std::string {
    become_stderr(log);
    start_log(LogLevel::info, false, log, kSmall);
    for (int i = 0; i < 1'000; ++i) spdlog::info("line {}", i);
    if (inherited(folder.path) != "1: /d.log\n2: /d.log\n") return inherited(folder.path);
    if (::write(STDERR_FILENO, "a crash\n", 8) != 8) return "no stderr";
    std::size_t files = 0;
    for (const auto& file : fs::directory_iterator(folder.path)) {
      struct stat info{};
      ::stat(file.path().c_str(), &info);
      if (info.st_size > 4096 + 8) return "a long file";
      if ((info.st_mode & 0777) != 0600) return "a file for others";
      ++files;
    }
    if (files != 3) return fmt::format("{} files", files);
    // Nothing is missing between the oldest line that is kept and the last.
    const std::string all = slurp(folder.path + "/d.2.log") + slurp(folder.path + "/d.1.log") + slurp(log);
    int next = 1'000 - static_cast<int>(std::ranges::count(all, '\n') - 1);
    std::size_t at = 0;
    for (; next < 1'000 && at != std::string::npos; ++next) at = all.find(fmt::format(" line {}\n", next), at);
    if (next != 1'000 || at == std::string::npos) return fmt::format("line {} is missing", next);
    return all.ends_with("\na crash\n") ? "" : "the crash is not at the end";
  });
  CHECK(wrong == "");
}

TEST_CASE("A log whose disk is full goes on when there is room") {
  const Folder folder;
  const std::string log = folder.path + "/d.log";
  testing::check_on_small_disk(folder.path, "size=256k", [&]() -> std::string {
    become_stderr(log);
    start_log(LogLevel::info, false, log, kSmall);
    spdlog::info("before");
    testing::fill_disk(folder.path + "/filler");
    for (int i = 0; i < 1'000; ++i) spdlog::info("nobody reads this line {}", i);
    fs::remove(folder.path + "/filler");
    spdlog::info("after");
    return slurp(log).find(" after\n") == std::string::npos ? "it has not gone on" : "";
  });
}

TEST_CASE("What the log's file does not take is said on stderr") {
  const Folder folder;
  const std::string pipe = folder.path + "/d.log";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string wrong = testing::in_child([&]() -> std::string {
    become_stderr(folder.path + "/stderr");
    start_log(LogLevel::info, true, pipe, kSmall);
    spdlog::info("here");
    return slurp(folder.path + "/stderr").find(R"("message":"here"})") == std::string::npos ? "not said" : "";
  });
  CHECK(wrong == "");
}
