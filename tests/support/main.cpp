// Runs the cases that are asked for. Exits with 77 if each of them skipped something, which ctest shows; with 1 if any
// failed: Catch2's own code is the number of failures, and that could be 77 as well.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif
#include "catch.hpp"
#include "skip.hpp"

namespace baton::testing {
namespace {

int cases, skipped;
bool this_one;

#if __has_include(<catch2/catch_session.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

class Count final : public Listener {
 public:
  using Listener::Listener;
  void testCaseStarting(const Catch::TestCaseInfo&) override {
    ++cases;
    this_one = false;
  }
  void testCaseEnded(const Catch::TestCaseStats&) override { skipped += this_one ? 1 : 0; }
};
CATCH_REGISTER_LISTENER(Count)

}  // namespace

void skip(const std::string& why) {
  this_one = true;
  WARN("skipped: " << why);
}

}  // namespace baton::testing

int main(int argc, char** argv) {
  using namespace baton::testing;
  if (Catch::Session().run(argc, argv) != 0) return 1;
  return cases > 0 && skipped == cases ? 77 : 0;
}
