// Addresses of sockets in the file system or the abstract namespace.
#pragma once

#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "convert.h"

namespace stratis {

struct SocketAddress {
  sockaddr_un value = {};
  socklen_t length = 0;
  std::string text;  // for messages

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
  bool is_abstract() const { return value.sun_path[0] == 0; }

  // From the bytes of a path; a first NUL makes it a name in the abstract namespace. Throws NativeError with EINVAL for
  // what is empty or too long.
  static SocketAddress FromJs(const Napi::Value& value, const ArgumentName& name);
};

}  // namespace stratis
