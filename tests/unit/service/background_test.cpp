#include <baton/service/background.hpp>

#include <future>
#include <new>
#include <stdexcept>
#include <string>

#include "catch.hpp"

namespace baton::service {
namespace {

TEST_CASE("a job that throws is answered for, and the next one runs") {
  Background background;
  std::promise<Error> starved, broken;
  std::promise<void> ran;
  const auto told = [](std::promise<Error>& promise) {
    return [&promise](Error error) { promise.set_value(std::move(error)); };
  };
  REQUIRE(background.run([] { throw std::bad_alloc(); }, told(starved)));
  REQUIRE(background.run([] { throw std::runtime_error("secret detail"); }, told(broken)));
  REQUIRE(background.run([&] { ran.set_value(); }, told(broken)));
  CHECK(starved.get_future().get() == Error{ErrorCode::internal, "not enough memory"});
  const Error error = broken.get_future().get();
  CHECK(error.code == ErrorCode::internal);
  CHECK(error.message.find("secret") == std::string::npos);
  ran.get_future().get();
}

}  // namespace
}  // namespace baton::service
