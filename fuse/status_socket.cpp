#include "fuse/status_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace vimg {
namespace {

// Names to try before giving up.
constexpr unsigned max_names = 8;
// Nobody needs more than one; a bound, so that descriptors do not run out.
constexpr std::size_t max_clients = 64;
constexpr std::size_t max_message = 4096;

struct Address {
  sockaddr_un name{};
  socklen_t length = 0;
};

Address address_of(const std::string& device, unsigned number) {
  const std::string text = number == 0 ? fmt::format("vimgmount/{}", device)
                                       : fmt::format("vimgmount/{}.{}", device, number);
  Address address;
  address.name.sun_family = AF_UNIX;
  const std::size_t length = std::min(text.size(), sizeof(address.name.sun_path) - 1);
  std::memcpy(address.name.sun_path + 1, text.data(), length);
  address.length = socklen_t(offsetof(sockaddr_un, sun_path) + 1 + length);
  return address;
}

const sockaddr* as_generic(const Address& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address.name);
}

int new_socket(int flags) noexcept {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

std::optional<ucred> peer_of(int socket) noexcept {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  return peer;
}

std::optional<FinalStatus> parse_status(std::string_view text) {
  const std::size_t space = text.find(' ');
  int code = 0;
  if (space == std::string_view::npos ||
      std::from_chars(text.data(), text.data() + space, code).ptr != text.data() + space) {
    return std::nullopt;
  }
  return FinalStatus{ExitCode(code), std::string(text.substr(space + 1))};
}

}  // namespace

StatusServer::StatusServer(const std::string& device) : listener_(new_socket(SOCK_NONBLOCK)) {
  for (unsigned number = 0; listener_ >= 0 && number < max_names; ++number) {
    const Address address = address_of(device, number);
    if (bind(listener_, as_generic(address), address.length) == 0 && listen(listener_, 8) == 0) {
      return;
    }
  }
  close(std::exchange(listener_, -1));
}

StatusServer::~StatusServer() {
  if (listener_ >= 0) {
    close(listener_);
  }
}

void StatusServer::accept() noexcept {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) {
    return;
  }
  const auto peer = peer_of(client);
  const bool welcome = peer && (peer->uid == geteuid() || peer->uid == 0);
  if (!welcome || clients_.size() >= max_clients) {
    close(client);
    return;
  }
  clients_.push_back(client);
}

void StatusServer::tell(const FinalStatus& status) noexcept {
  for (std::size_t waiting = 0; listener_ >= 0 && waiting < max_clients; ++waiting) {
    accept();
  }
  const std::string text = fmt::format("{} {}", int(status.code), status.message);
  for (const int client : clients_) {
    send(client, text.data(), std::min(text.size(), max_message), MSG_NOSIGNAL);
  }
}

std::optional<StatusClient> StatusClient::connect(const std::string& device, uid_t owner) {
  for (unsigned number = 0; number < max_names; ++number) {
    const int socket = new_socket(0);
    if (socket < 0) {
      return std::nullopt;
    }
    const Address address = address_of(device, number);
    if (::connect(socket, as_generic(address), address.length) == 0) {
      if (const auto peer = peer_of(socket); peer && peer->uid == owner) {
        return StatusClient(socket, peer->pid);
      }
    }
    close(socket);
  }
  return std::nullopt;
}

StatusClient::StatusClient(int socket, pid_t process) noexcept
    : socket_(socket),
      process_fd_(process > 0 ? int(syscall(SYS_pidfd_open, process, 0)) : -1),
      process_(process) {}

StatusClient::StatusClient(StatusClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      process_fd_(std::exchange(other.process_fd_, -1)),
      process_(other.process_) {}

StatusClient::~StatusClient() {
  for (const int fd : {socket_, process_fd_}) {
    if (fd >= 0) {
      close(fd);
    }
  }
}

std::optional<FinalStatus> StatusClient::wait() {
  std::string text;
  char buffer[512];
  for (ssize_t count; (count = recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, std::min(std::size_t(count), max_message - text.size()));
  }
  if (process_fd_ >= 0) {
    pollfd gone{process_fd_, POLLIN, 0};
    while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
  }
  return parse_status(text);
}

}  // namespace vimg
