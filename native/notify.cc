// sendDatagram of src/native/index.ts: one message to a datagram socket of the system's, as sd_notify(3) and the
// journal's native protocol want it.

#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "socket_address.h"
#include "unique_fd.h"

namespace stratis {

namespace {

constexpr const char* kName = "sendDatagram";
// Far below the send buffer that a socket has by default.
constexpr size_t kMostBytes = 64 * 1024;

// False: the receiver has no room now.
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, kName, [&]() -> Napi::Value {
    const SocketAddress address = SocketAddress::FromJs(info[0], {kName, "address"});
    const auto [bytes, size] = ToBytes(info[1], {kName, "data"});
    if (size == 0 || size > kMostBytes)
      throw InvalidArgument(kName, "data", "it has " + std::to_string(size) + " bytes");
    const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) throw NativeError(errno, "socket", address.text);
    ssize_t sent = -1;
    do {
      sent = sendto(fd.get(), bytes, size, MSG_NOSIGNAL, address.get(), address.length);
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
