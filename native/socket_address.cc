#include "socket_address.h"

#include <cstddef>
#include <cstring>

namespace stratis {

SocketAddress SocketAddress::FromJs(const Napi::Value& value, const ArgumentName& name) {
  const auto [bytes, size] = ToBytes(value, name);
  SocketAddress address;
  // An abstract name is not terminated; a path needs its terminator.
  const size_t hidden = size > 0 && bytes[0] == 0 ? 1 : 0;
  if (size == 0 || size > sizeof address.value.sun_path - (1 - hidden))
    name.Refuse("it has " + std::to_string(size) + " bytes");
  address.value.sun_family = AF_UNIX;
  std::memcpy(address.value.sun_path, bytes, size);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (1 - hidden));
  address.text = (hidden == 1 ? "@" : "") + std::string(reinterpret_cast<const char*>(bytes) + hidden, size - hidden);
  return address;
}

}  // namespace stratis
