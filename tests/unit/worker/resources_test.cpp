#include <baton/worker/resources.hpp>

#include <set>

#include "catch.hpp"

namespace baton::worker {
namespace {

wire::Capacity amount(std::int64_t cpu, std::int64_t memory = 0, std::int64_t gpu = 0,
                      std::map<std::string, std::int64_t> custom = {}) {
  return {.cpu_milli = cpu, .memory_bytes = memory, .gpu_milli = gpu, .custom_milli = std::move(custom)};
}

HostResources host(std::size_t gpus) {
  HostResources resources{.cpu_milli = 4000, .memory_bytes = 1000, .gpus = {}};
  for (std::uint32_t i = 0; i < gpus; ++i) resources.gpus.push_back({i, "A100"});
  return resources;
}

}  // namespace

TEST_CASE("the configuration wins over what the host has") {
  CHECK(Allocator(amount(0), host(2)).capacity() == amount(4000, 1000, 2000));
  CHECK(Allocator(amount(500, 7, 1000, {{"x", 1}}), host(2)).capacity() == amount(500, 7, 1000, {{"x", 1}}));
  CHECK(Allocator(amount(0, 0, 3000), host(0)).gpu_names().size() == 3);
  CHECK(Allocator(amount(0, 0, -1), host(2)).capacity().gpu_milli == 0);
  CHECK(Allocator(amount(0, 0, 1'000'000), host(0)).gpu_names().size() == 64);
}

TEST_CASE("nothing is given away twice") {
  Allocator allocator(amount(2000, 100, 0, {{"license", 1000}}), host(0));
  const auto one = allocator.take(amount(1500, 60, 0, {{"license", 1000}}));
  REQUIRE(one);
  CHECK_FALSE(allocator.take(amount(501)));
  CHECK_FALSE(allocator.take(amount(0, 41)));
  CHECK_FALSE(allocator.take(amount(0, 0, 0, {{"license", 1}})));
  CHECK(allocator.take(amount(500, 40)));
  allocator.give_back(*one);
  CHECK(allocator.take(amount(1500, 60, 0, {{"license", 1000}})));
}

TEST_CASE("GPUs are whole devices, or shares of one") {
  Allocator allocator(amount(0, 0, 3000), host(0));
  const auto share = allocator.take(amount(0, 0, 600));
  REQUIRE(share);
  CHECK(share->gpu_devices == 1);
  const auto other = allocator.take(amount(0, 0, 500));
  CHECK(other->gpu_devices == 2);
  CHECK(allocator.take(amount(0, 0, 400))->gpu_devices == 1);  // the fullest that has room
  CHECK_FALSE(allocator.take(amount(0, 0, 1500)));             // two whole ones are not there
  allocator.give_back(*other);
  const auto two = allocator.take(amount(0, 0, 1500));
  REQUIRE(two);
  CHECK(format_devices(two->gpu_devices) == "1,2");
  CHECK_FALSE(allocator.take(amount(0, 0, 100)));
}

TEST_CASE("no two devices have one number") {
  HostResources resources = host(0);
  resources.gpus = {{0, "A"}, {2, "B"}};  // 1 is broken
  Allocator allocator(amount(0, 0, 4000), resources);
  std::set<std::string> given;
  for (int i = 0; i < 4; ++i) {
    const auto grant = allocator.take(amount(0, 0, 1000));
    REQUIRE(grant);
    given.insert(format_devices(grant->gpu_devices));
  }
  CHECK(given == std::set<std::string>{"0", "1", "2", "3"});
}

TEST_CASE("what cannot fit ever is told from what must wait") {
  const Allocator allocator(amount(2000, 100, 1000, {{"license", 1000}}), host(0));
  CHECK(allocator.never_fits(amount(2000, 100, 1000, {{"license", 1000}})).empty());
  CHECK(allocator.never_fits(amount(2500)) == "needs 2.5 CPUs, the worker has 2");
  CHECK_FALSE(allocator.never_fits(amount(0, 101)).empty());
  CHECK_FALSE(allocator.never_fits(amount(0, 0, 1001)).empty());
  CHECK_FALSE(allocator.never_fits(amount(0, 0, 0, {{"fpga", 1}})).empty());
  CHECK_FALSE(allocator.never_fits(amount(-1)).empty());
  CHECK_FALSE(allocator.never_fits(amount(0, 0, std::numeric_limits<std::int64_t>::max())).empty());
}

TEST_CASE("the host has something to give") {
  const HostResources resources = detect_resources();
  CHECK(resources.cpu_milli > 0);
  CHECK(resources.memory_bytes > 0);
}

TEST_CASE("amounts are written as people write them") {
  CHECK(format_milli(2000) == "2");
  CHECK(format_milli(500) == "0.5");
  CHECK(format_milli(1250) == "1.25");
  CHECK(format_devices(0).empty());
}

}  // namespace baton::worker
