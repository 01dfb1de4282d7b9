#include "output.hpp"

#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "catch.hpp"

namespace baton::cli {

TEST_CASE("what one thread writes while another one flushes is written once") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const int capacity = ::fcntl(write_end.get(), F_GETPIPE_SZ);
  const std::string text(static_cast<std::size_t>(capacity) + 1'000, 'x');
  std::string read;
  {
    Output out(write_end.get(), false);
    std::thread writer([&] {
      out.write(text);
      out.flush();
    });
    pollfd waiting{read_end.get(), POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, -1) == 1);  // the writer is in its write, which nobody lets end yet
    std::thread other([&] { out.flush(); });
    std::thread reader([&] {
      std::string chunk(64u << 10, '\0');
      ssize_t got = 0;
      while ((got = ::read(read_end.get(), chunk.data(), chunk.size())) > 0)
        read.append(chunk, 0, static_cast<std::size_t>(got));
    });
    writer.join();
    other.join();
    write_end.reset();
    reader.join();
  }
  CHECK(read == text);
}

}  // namespace baton::cli
