#include <baton/base/locations.hpp>

#include <map>

#include "catch.hpp"

namespace baton {
namespace {

using Variables = std::map<std::string, std::string>;

Result<Locations> located(const Variables& variables, const LocationOverrides& overrides = {},
                          std::uint32_t uid = 1000) {
  return locate(
      [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      uid, "/work/here", overrides);
}

TEST_CASE("a user with nothing set up gets the places of the XDG specification") {
  const auto places = located({{"HOME", "/home/ada"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}});
  REQUIRE(places);
  CHECK(places->state_dir == "/home/ada/.local/state/baton");
  CHECK(places->socket == "/run/user/1000/baton/baton.sock");
  CHECK(places->config == "/home/ada/.config/baton/config.yaml");
  CHECK_FALSE(places->config_named);
}

TEST_CASE("XDG variables move the places") {
  const auto places = located({{"HOME", "/home/ada"},
                               {"XDG_RUNTIME_DIR", "/tmp/rt/"},
                               {"XDG_STATE_HOME", "/var/ada"},
                               {"XDG_CONFIG_HOME", "/etc/ada"}});
  REQUIRE(places);
  CHECK(places->state_dir == "/var/ada/baton");
  CHECK(places->socket == "/tmp/rt/baton/baton.sock");
  CHECK(places->config == "/etc/ada/baton/config.yaml");
}

TEST_CASE("without a runtime directory the socket is in the state directory, for root too") {
  CHECK(located({{"HOME", "/home/ada"}})->socket == "/home/ada/.local/state/baton/baton.sock");
  CHECK(located({{"HOME", "/root"}}, {}, 0)->socket == "/root/.local/state/baton/baton.sock");
}

TEST_CASE("empty and relative XDG variables do not count") {
  const auto places = located({{"HOME", "/home/ada"}, {"XDG_STATE_HOME", ""}, {"XDG_RUNTIME_DIR", "run"}});
  REQUIRE(places);
  CHECK(places->state_dir == "/home/ada/.local/state/baton");
  CHECK(places->socket == "/home/ada/.local/state/baton/baton.sock");
}

TEST_CASE("another user's runtime directory, as su leaves it behind, is not used") {
  const Variables variables{{"HOME", "/root"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}};
  CHECK(located(variables, {}, 0)->socket == "/root/.local/state/baton/baton.sock");
  CHECK(located(variables, {}, 1000)->socket == "/run/user/1000/baton/baton.sock");
}

TEST_CASE("the command line wins over BATON variables, and those over XDG") {
  const Variables variables{{"HOME", "/home/ada"},
                            {"XDG_RUNTIME_DIR", "/run/user/1000"},
                            {"BATON_SOCKET", "/env/s"},
                            {"BATON_STATE_DIR", "/env/state"},
                            {"BATON_CONFIG", "/env/c.yaml"}};
  const auto from_environment = located(variables);
  CHECK(from_environment->socket == "/env/s");
  CHECK(from_environment->state_dir == "/env/state");
  CHECK(from_environment->config == "/env/c.yaml");
  CHECK(from_environment->config_named);
  const auto from_options = located(variables, {"/o/s", "/o/state", "/o/c.yaml"});
  CHECK(from_options->socket == "/o/s");
  CHECK(from_options->state_dir == "/o/state");
  CHECK(from_options->config == "/o/c.yaml");
}

TEST_CASE("a state directory that was named has its own socket") {
  const Variables variables{{"HOME", "/home/ada"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}};
  CHECK(located(variables, {"", "/data/baton/", ""})->socket == "/data/baton/baton.sock");
}

TEST_CASE("relative overrides start at the current directory") {
  const auto places = located({{"HOME", "/home/ada"}}, {"../s", "state/./x", "c.yaml"});
  CHECK(places->socket == "/work/s");
  CHECK(places->state_dir == "/work/here/state/x");
  CHECK(places->config == "/work/here/c.yaml");
}

TEST_CASE("a socket path that Linux does not allow is refused with a way out") {
  const std::string folder = "/" + std::string(99, 'x');
  CHECK(located({{"HOME", "/h"}}, {folder + "/s.sock", "", ""})->socket.size() == 108 - 1);
  const auto places = located({{"HOME", "/h"}}, {folder + "/ss.sock", "", ""});
  REQUIRE_FALSE(places);
  CHECK(places.error().code == ErrorCode::invalid_argument);
  CHECK(places.error().message.find("--socket") != std::string::npos);
}

TEST_CASE("HOME is needed only where nothing else is said") {
  const auto places = located({});
  REQUIRE_FALSE(places);
  CHECK(places.error().code == ErrorCode::invalid_argument);
  CHECK(located({}, {"", "/data", ""})->state_dir == "/data");
}

}  // namespace
}  // namespace baton
