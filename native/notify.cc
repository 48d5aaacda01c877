// sendDatagram of src/native/index.ts: one message to a datagram socket of the system's, as sd_notify(3) and the
// journal's native protocol want it.

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "unique_fd.h"

namespace stratis {

namespace {

constexpr const char* kName = "sendDatagram";
// Far below the send buffer that a socket has by default.
constexpr size_t kMostBytes = 64 * 1024;

struct Address {
  sockaddr_un value = {};
  socklen_t length = 0;
  std::string text;  // for messages
};

// A first NUL makes it a name in the abstract namespace, which is not terminated; a path needs its terminator.
Address ToAddress(const Napi::Value& value) {
  const auto [bytes, size] = ToBytes(value, {kName, "address"});
  Address address;
  const bool abstract = size > 0 && bytes[0] == 0;
  if (size == 0 || size > sizeof address.value.sun_path - (abstract ? 0 : 1))
    throw InvalidArgument(kName, "address", "it has " + std::to_string(size) + " bytes");
  address.value.sun_family = AF_UNIX;
  std::memcpy(address.value.sun_path, bytes, size);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  const size_t hidden = abstract ? 1 : 0;
  address.text = (abstract ? "@" : "") + std::string(reinterpret_cast<const char*>(bytes) + hidden, size - hidden);
  return address;
}

// False: the receiver has no room now.
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, kName, [&]() -> Napi::Value {
    const Address address = ToAddress(info[0]);
    const auto [bytes, size] = ToBytes(info[1], {kName, "data"});
    if (size == 0 || size > kMostBytes)
      throw InvalidArgument(kName, "data", "it has " + std::to_string(size) + " bytes");
    const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) throw NativeError(errno, "socket", address.text);
    ssize_t sent = -1;
    do {
      sent = sendto(fd.get(), bytes, size, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address.value),
                    address.length);
    } while (sent < 0 && errno == EINTR);
    const bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (sent < 0 && !full) throw NativeError(errno, "sendto", address.text);
    return Napi::Boolean::New(env, !full);
  });
}

}  // namespace

void InitNotify(Napi::Env env, Napi::Object exports) {
  exports.Set(kName, Napi::Function::New(env, SendDatagram, kName));
}

}  // namespace stratis
