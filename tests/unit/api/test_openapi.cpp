// schemas/openapi.yaml says what the server does. Needs Debian's python3-yaml and python3-jsonschema.
#include <array>
#include <cstdio>

#include "catch.hpp"
#include "harness.hpp"

using namespace baton::api;
using namespace baton::api::test;

TEST_CASE("the server does what openapi.yaml describes, and nothing else") {
  RunningServer server;
  std::string command = "/usr/bin/python3 '" BATON_SOURCE_DIR "/tests/unit/api/openapi_check.py' '" BATON_SOURCE_DIR
                        "/schemas/openapi.yaml' '" +
                        server.socket() + "'";
  for (const RouteName& route : route_names()) command += fmt::format(" '{} {}'", route.method, route.path);
  std::FILE* check = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(check != nullptr);
  std::string output;
  std::array<char, 4096> piece;
  while (const std::size_t bytes = std::fread(piece.data(), 1, piece.size(), check)) output.append(piece.data(), bytes);
  const int status = ::pclose(check);
  INFO(output);
  CHECK(status == 0);
}
