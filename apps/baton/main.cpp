#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <baton/base/standard_streams.hpp>
#include <baton/base/umask.hpp>

#include "program.hpp"

int main(int argc, char** argv) {
  baton::keep_standard_streams();
  baton::keep_own_rights();
  try {
    return baton::cli::run_program(std::vector<std::string>(argv + 1, argv + argc),
                                   [](const char* name) -> std::optional<std::string> {
                                     const char* value = std::getenv(name);
                                     return value == nullptr ? std::nullopt : std::optional<std::string>(value);
                                   });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "baton: internal error: %s\n", error.what());
    return baton::cli::kExitDenied;
  }
}
