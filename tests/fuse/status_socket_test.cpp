#include "fuse/status_socket.h"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <doctest/doctest.h>

using namespace vimg;

namespace {

// A device number of no mount, and of no other test process.
std::string device(int number) {
  return "test:" + std::to_string(getpid()) + "." + std::to_string(number);
}

// Runs `serve` with a listening server in a child process, which then ends.
template <typename Serve>
pid_t fork_server(const std::string& name, Serve&& serve) {
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    StatusServer server(name);
    (void)!write(ready[1], "", 1);
    serve(server);
    _exit(0);
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  close(ready[1]);
  return child;
}

}  // namespace

TEST_CASE("status socket: a client learns how the server ended") {
  const pid_t child = fork_server(device(1), [](StatusServer& server) {
    usleep(50000);
    server.tell({ExitCode::flush_failed, "disk full"});
  });
  auto client = StatusClient::connect(device(1), geteuid());
  REQUIRE(client);
  CHECK(client->process() == child);
  const auto status = client->wait();
  REQUIRE(status);
  CHECK(status->code == ExitCode::flush_failed);
  CHECK(status->message == "disk full");
  // It is gone by now: waiting for it does not block.
  CHECK(waitpid(child, nullptr, WNOHANG) == child);
}

TEST_CASE("status socket: a server that dies without a word is noticed") {
  const pid_t child = fork_server(device(2), [](StatusServer&) { usleep(50000); });
  auto client = StatusClient::connect(device(2), geteuid());
  REQUIRE(client);
  CHECK_FALSE(client->wait());
  waitpid(child, nullptr, 0);
}

TEST_CASE("status socket: nobody listens") {
  CHECK_FALSE(StatusClient::connect(device(3), geteuid()));
}

TEST_CASE("status socket: a listener of another user is not believed") {
  const StatusServer server(device(4));
  CHECK_FALSE(StatusClient::connect(device(4), geteuid() + 1));
}

TEST_CASE("status socket: a name that is taken is stepped over") {
  const StatusServer squatter(device(5));
  const StatusServer server(device(5));
  CHECK(server.listener() >= 0);
}
