// One fuzz target: a function that takes any bytes, drives production code with them and aborts where a property fails.
//
// Each is deterministic and keeps nothing from one input to the next, as libFuzzer wants it. Every build feeds it the
// committed corpus through replay.cpp.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace baton::fuzz {

void workflow(std::string_view input);
void expression(std::string_view input);
void cron(std::string_view input);
void params(std::string_view input);
void config(std::string_view input);
void http_target(std::string_view input);
void http_body(std::string_view input);
void http_connection(std::string_view input);
void frames_to_worker(std::string_view input);
void frames_to_daemon(std::string_view input);
void worker_news(std::string_view input);
void journal(std::string_view input);
void rows(std::string_view input);
void outputs(std::string_view input);

// A property of the code under test; its failure is a finding.
inline void holds(bool property, const char* what) {
  if (property) return;
  std::fprintf(stderr, "PROPERTY FAILED: %s\n", what);
  std::abort();
}

// Takes the text up to the next `end` (which is dropped) off the front of `input`; everything if there is none.
inline std::string_view take_until(std::string_view& input, char end) {
  const std::size_t at = input.find(end);
  const std::string_view taken = input.substr(0, at);
  input.remove_prefix(at == std::string_view::npos ? input.size() : at + 1);
  return taken;
}

}  // namespace baton::fuzz
