// replay TARGET FILE|FOLDER...: feeds files to a fuzz target, without libFuzzer, so that every build replays the
// corpus. A crash, a failed property, more than kSeconds for one input or more than kMemoryBytes end it with a signal.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "target.hpp"

namespace {

namespace fs = std::filesystem;

constexpr unsigned kSeconds = 30;  // about a hundred times what the slowest takes under AddressSanitizer
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr rlim_t kMemoryBytes = rlim_t{1} << 30;  // sanitizers reserve terabytes
#endif

using Target = void (*)(std::string_view);
const std::map<std::string, Target, std::less<>>& targets() {
  using namespace baton;
  static const std::map<std::string, Target, std::less<>> table{
      {"workflow", fuzz::workflow},
      {"expression", fuzz::expression},
      {"cron", fuzz::cron},
      {"params", fuzz::params},
      {"config", fuzz::config},
      {"http_target", fuzz::http_target},
      {"http_body", fuzz::http_body},
      {"http_connection", fuzz::http_connection},
      {"frames_to_worker", fuzz::frames_to_worker},
      {"frames_to_daemon", fuzz::frames_to_daemon},
      {"worker_news", fuzz::worker_news},
      {"journal", fuzz::journal},
      {"rows", fuzz::rows},
      {"outputs", fuzz::outputs},
  };
  return table;
}

std::vector<fs::path> files_below(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void replay(Target target, const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  // In a block of exactly its size, so that AddressSanitizer sees the first byte read beyond it.
  const std::unique_ptr<char[]> bytes(new char[text.size()]);
  std::copy(text.begin(), text.end(), bytes.get());
  ::alarm(kSeconds);
  target({bytes.get(), text.size()});
  ::alarm(0);
}

}  // namespace

int main(int argc, char** argv) try {
  const auto target = argc < 3 ? targets().end() : targets().find(std::string_view(argv[1]));
  if (target == targets().end()) {
    fmt::print(stderr, "usage: replay TARGET FILE|FOLDER...\n");
    for (const auto& [name, function] : targets()) fmt::print(stderr, "  {}\n", name);
    return 2;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit memory{kMemoryBytes, kMemoryBytes};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  std::size_t inputs = 0;
  for (int i = 2; i < argc; ++i) {
    for (const fs::path& file : files_below(argv[i])) {
      // First, so that it is known which one ends the process.
      fmt::print("{}\n", file.string());
      std::fflush(stdout);
      replay(target->second, file);
      ++inputs;
    }
  }
  fmt::print("{}: {} inputs\n", target->first, inputs);
  return inputs > 0 ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "replay: {}\n", error.what());
  return 1;
}
