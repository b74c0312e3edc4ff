#include "client/address.h"

#include <charconv>

#include <fmt/format.h>

namespace eddy::client {

Result<Address> ParseAddress(std::string_view text, uint16_t port_default) {
  const auto wrong = [&](std::string_view reason) {
    return Fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is no address: {}; give HOST, HOST:PORT or [IPv6]:PORT", text, reason));
  };
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return wrong("']' is missing");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("only a port may follow ']'");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (text.find(':', colon + 1) != std::string_view::npos) {
      return wrong("an IPv6 address stands in brackets");
    }
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return wrong("the host is missing");
  if (host.find_first_of(" \t\r\n/[]") != std::string_view::npos || host.find('\0') != host.npos) {
    return wrong("the host has a character that no host has");
  }
  Address address{.host = std::string(host), .port = port_default};
  if (has_port) {
    const auto [end, error] = std::from_chars(port.begin(), port.end(), address.port);
    if (error != std::errc() || end != port.end() || address.port == 0) {
      return wrong("the port is not a number from 1 to 65535");
    }
  }
  return address;
}

std::string ToString(const Address& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", address.host, brackets ? "]" : "",
                     address.port);
}

}  // namespace eddy::client
