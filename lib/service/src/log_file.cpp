#include "log_file.hpp"

#include <baton/base/standard_streams.hpp>

#include <fcntl.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string_view>
#include <utility>

namespace baton::service {
namespace {

// What cannot be opened is not tried again at once: the library's sink takes its time over it.
constexpr std::chrono::seconds kReopenAfter(1);

// Whether a descriptor leads to what is at the path.
bool leads_to(int fd, const std::string& path) {
  struct stat opened{}, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

// A pipe would be waited for.
bool may_be_opened(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

}  // namespace

LogFile::LogFile(std::string path, LogFileBounds bounds)
    : path_(std::move(path)), bounds_(bounds), along_{leads_to(STDOUT_FILENO, path_), leads_to(STDERR_FILENO, path_)} {}

LogFile::~LogFile() = default;

void LogFile::set_formatter_(std::unique_ptr<spdlog::formatter> formatter) {
  formatter_ = std::move(formatter);
  if (file_) file_->set_formatter(formatter_->clone());
}

void LogFile::sink_it_(const spdlog::details::log_msg& message) {
  try {
    if (!file_) open();
    if (file_) {
      file_->log(message);
      file_->flush();
      return;
    }
  } catch (const std::exception&) {
    file_.reset();
  }
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  tell(std::string_view(line.data(), line.size() - 1));
}

void LogFile::open() {
  const auto now = std::chrono::steady_clock::now();
  if (now < open_at_ || !may_be_opened(path_)) return;
  open_at_ = now + kReopenAfter;
  spdlog::file_event_handlers handlers;
  handlers.after_open = [along = along_](const spdlog::filename_t&, std::FILE* file) {
    const int fd = ::fileno(file);
    ::fchmod(fd, 0600);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // the library's flag for that is one of its build
    if (along[0]) ::dup2(fd, STDOUT_FILENO);
    if (along[1]) ::dup2(fd, STDERR_FILENO);
  };
  file_ = std::make_unique<spdlog::sinks::rotating_file_sink_st>(path_, bounds_.bytes, bounds_.older_files, false,
                                                                 handlers);
  file_->set_formatter(formatter_->clone());
  open_at_ = {};
}

}  // namespace baton::service
